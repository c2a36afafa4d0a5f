"""Services that end, by kill -9 or by SIGTERM, while clients work: nothing that was acknowledged is lost, and clients
that follow health notice nothing of a rolling restart."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded.process import free_port
from tests.faults.call_table import SLOW_READER, WHERE, store_megabytes, stub_with_index
from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, SCALE, audit_writes, load
from tests.support.api import TIMEOUT, packed_embedding, stub_for
from tests.support.server_process import SERVICE, ServerProcess, channel_to, run_server_process, wait_for_health

ROUND_ROBIN_BY_HEALTH = json.dumps(
    {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": SERVICE}}
)
"""What a client of several replicas sets: its calls go only to those that say that they are ready."""

NOTICED = 3.0
"""Seconds between two restarts, in which clients connect to the first again: gRPC waits between its attempts."""


class Replica:
    """A service at a port of its own, which is started again and again."""

    def __init__(self, running: ExitStack, engine: EngineProcess) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.served: ServerProcess | None = None
        self._running = running
        self._settings = {"MEMORY_VALKEY_URL": engine.url, "MEMORY_LISTEN": self.address, "MEMORY_DRAIN": "2"}

    async def start(self) -> None:
        """Start it; return when it is ready."""
        # In a thread, since the clients go on meanwhile.
        self.served = await asyncio.to_thread(self._running.enter_context, run_server_process(**self._settings))
        async with channel_to(self.address) as channel:
            await wait_for_health(channel, health_pb2.HealthCheckResponse.SERVING)

    async def end(self, number: signal.Signals) -> int:
        """End it; its exit status."""
        assert self.served is not None
        self.served.process.send_signal(number)
        return await asyncio.to_thread(self.served.process.wait, 60)


@asynccontextmanager
async def replicas(directory: Path, count: int) -> AsyncIterator[list[Replica]]:
    """Services of one engine, whose index exists."""
    async with EngineProcess(directory) as engine:
        with ExitStack() as running:
            made = [Replica(running, engine) for _ in range(count)]
            await asyncio.gather(*(one.start() for one in made))
            async with channel_to(made[0].address) as channel:
                await stub_with_index(channel)
            yield made


async def test_kill_9_of_the_service_loses_and_duplicates_nothing(tmp_path: Path) -> None:
    async with replicas(tmp_path, 1) as [replica], channel_to(replica.address) as channel:
        async with load(channel) as clients:
            for _ in range(round(2 * SCALE)):
                await asyncio.sleep(1.0)
                await replica.end(signal.SIGKILL)
                await replica.start()
        assert any(client.failures for client in clients)
        assert await audit_writes(clients) == NO_LOSS


async def test_a_rolling_restart_fails_no_call_of_clients_that_follow_health(tmp_path: Path) -> None:
    async with replicas(tmp_path, 2) as both:
        target = "ipv4:" + ",".join(one.address for one in both)
        options = [
            ("grpc.service_config", ROUND_ROBIN_BY_HEALTH),
            ("grpc.enable_retries", 0),
            # By itself gRPC waits longer and longer before it looks at a server again: two minutes in the end.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            await channel.channel_ready()
            async with load(channel, deadline=TIMEOUT) as clients:
                for one in both * round(SCALE):
                    await asyncio.sleep(NOTICED)
                    assert await one.end(signal.SIGTERM) == 0
                    await one.start()
                await asyncio.sleep(NOTICED)
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
        ending = asyncio.create_task(replica.end(signal.SIGTERM))
        await asyncio.sleep(3.0)
        assert not ending.done()
        chunks += [chunk async for chunk in call]
        assert sum(len(chunk.hits) for chunk in chunks) == 100
        assert chunks[-1].summary.hit_count == 100
        assert await ending == 0
