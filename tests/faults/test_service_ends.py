"""Services that end by kill -9 or SIGTERM under load. Nothing acknowledged is lost, and clients that follow health see
no error during a rolling restart."""

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2
from semantic_memory import MemoryClient, MemoryServiceError
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded.process import free_port
from tests.faults.call_table import SLOW_READER, WHERE, store_megabytes, stub_with_index
from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, load
from tests.support.api import TIMEOUT, packed_embedding, stub_for
from tests.support.scale import SCALE
from tests.support.server_process import SERVICE, ServerProcess, channel_to, run_server_process, wait_for_health

ROUND_ROBIN_BY_HEALTH = json.dumps(
    {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": SERVICE}}
)
"""The service config of a client of several replicas: it sends calls only to those that are ready."""

RECONNECT_TIME = 2.0
"""Seconds between two restarts, so that clients reconnect to the first replica. gRPC waits between attempts."""


class Replica:
    """A service at a fixed address that can be restarted."""

    def __init__(self, running: ExitStack, engine: EngineProcess, address: str = "", **settings: str) -> None:
        self.address = address or f"127.0.0.1:{free_port()}"
        self.host = self.address.partition(":")[0]
        self.server_process: ServerProcess | None = None
        self._running = running
        address_and_engine = {"MEMORY_VALKEY_URL": engine.url, "MEMORY_LISTEN": self.address}
        self._settings = {"MEMORY_DRAIN": "2", **address_and_engine, **settings}

    async def start(self) -> None:
        """Start the service; return when it is ready."""
        # In a thread, because the clients run meanwhile.
        self.server_process = await asyncio.to_thread(self._running.enter_context, run_server_process(**self._settings))
        async with channel_to(self.address) as channel:
            await wait_for_health(channel, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, number: signal.Signals) -> int:
        """Send a signal; return the exit status."""
        assert self.server_process is not None
        self.server_process.process.send_signal(number)
        return await asyncio.to_thread(self.server_process.process.wait, 60)


@asynccontextmanager
async def replicas(directory: Path, count: int) -> AsyncIterator[list[Replica]]:
    """Run services on one engine, with an index."""
    async with EngineProcess(directory) as engine:
        with ExitStack() as running:
            several = [Replica(running, engine) for _ in range(count)]
            await asyncio.gather(*(one.start() for one in several))
            async with channel_to(several[0].address) as channel:
                await stub_with_index(channel)
            yield several


async def test_kill_9_of_the_service_loses_and_duplicates_nothing(tmp_path: Path) -> None:
    async with replicas(tmp_path, 1) as [replica], channel_to(replica.address) as channel:
        async with load(channel) as clients:
            for _ in range(round(2 * SCALE)):
                await asyncio.sleep(1.0)
                await replica.stop(signal.SIGKILL)
                await replica.start()
        assert any(client.failures for client in clients)
        assert await audit_writes(clients) == NO_LOSS


async def test_kill_9_of_the_service_leaves_no_search_waiting_beyond_its_deadline(tmp_path: Path) -> None:
    async with replicas(tmp_path, 1) as [replica]:
        ended = threading.Event()

        def search() -> None:
            with MemoryClient(replica.address) as client:
                while not ended.is_set():
                    with contextlib.suppress(MemoryServiceError):
                        list(client.search("a note", user_id="alice", timeout=5.0))

        threads = [threading.Thread(target=search, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(round(4 * SCALE)):
            await asyncio.sleep(0.5)
            await replica.stop(signal.SIGKILL)
            await replica.start()
        ended.set()
        for thread in threads:
            await asyncio.to_thread(thread.join, 10.0)
        assert [thread for thread in threads if thread.is_alive()] == []


async def test_a_rolling_restart_fails_no_call_of_clients_that_follow_health(tmp_path: Path) -> None:
    async with replicas(tmp_path, 2) as both:
        target = "ipv4:" + ",".join(one.address for one in both)
        options = [
            ("grpc.service_config", ROUND_ROBIN_BY_HEALTH),
            ("grpc.enable_retries", 0),
            # By default, gRPC waits up to two minutes before it reconnects.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            await channel.channel_ready()
            async with load(channel, deadline=TIMEOUT) as clients:
                for one in both * round(SCALE):
                    await asyncio.sleep(RECONNECT_TIME)
                    assert await one.stop(signal.SIGTERM) == 0
                    await one.start()
                await asyncio.sleep(RECONNECT_TIME)
            calls = sum(len(client.seconds) for client in clients)
            print(f"{2 * round(SCALE)} restarts, {calls} calls")
            assert [error for client in clients for error in client.failures] == []
            assert await audit_writes(clients) == NO_LOSS


async def test_a_stream_in_flight_completes_when_the_service_gets_sigterm(tmp_path: Path) -> None:
    async with (
        replicas(tmp_path, 1) as [replica],
        grpc.aio.insecure_channel(replica.address, options=SLOW_READER) as channel,
    ):
        stub = stub_for(channel)
        await store_megabytes(stub, 4)
        call = stub.Search(
            pb.SearchRequest(query_embedding=packed_embedding(1.0), k=100, filter=WHERE), timeout=TIMEOUT
        )
        chunks = [await anext(aiter(call))]
        ending = asyncio.create_task(replica.stop(signal.SIGTERM))
        await asyncio.sleep(3.0)
        assert not ending.done()
        chunks += [chunk async for chunk in call]
        assert sum(len(chunk.hits) for chunk in chunks) == 100
        assert chunks[-1].summary.hit_count == 100
        assert await ending == 0
