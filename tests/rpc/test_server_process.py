"""The server process: health, reflection, signals, restarts, and faults of its engine."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded import EmbeddedValkey
from memory_service.embedded.packages import find_engine
from tests.support.api import TIMEOUT, packed_embedding, search, store_request, stub_for
from tests.support.server_process import (
    COMMAND,
    SERVICE,
    ServerProcess,
    channel_to,
    environment,
    run_server_process,
    wait_for_exit,
    wait_for_health,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with an embedded engine."""
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as server_process:
        yield server_process


async def test_health_and_reflection_serve_any_grpc_client(server_process: ServerProcess) -> None:
    async with channel_to(server_process.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        alive = await stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert alive.status == health_pb2.HealthCheckResponse.SERVING
        await wait_for_health(channel, health_pb2.HealthCheckResponse.SERVING)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=TIMEOUT)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND

        async def ask(**question: str) -> reflection_pb2.ServerReflectionResponse:
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(timeout=TIMEOUT)
            await call.write(reflection_pb2.ServerReflectionRequest(**question))
            await call.done_writing()
            response: reflection_pb2.ServerReflectionResponse = await call.read()
            return response

        listed = await ask(list_services="")
        assert SERVICE in [one.name for one in listed.list_services_response.service]
        described = await ask(file_containing_symbol=SERVICE)
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(one)
            for one in described.file_descriptor_response.file_descriptor_proto
        ]
        assert "semantic_memory/v1/memory_service.proto" in [file.name for file in files]


async def test_all_data_survives_a_restart(tmp_path: Path) -> None:
    where = memory_pb2.MemoryFilter(user_id="alice")
    request = pb.SearchRequest(query_text="canary", filter=where)
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as first:
        assert first.first_line["event"] == "starting_embedded_engine"
        assert first.first_line["data_dir"] == str(tmp_path)
        async with channel_to(first.address) as channel:
            stub = stub_for(channel)
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            stored = await stub.Store(store_request("alice", "canary deploys"), timeout=TIMEOUT)
            before, _ = await search(stub, request)
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as second:
        async with channel_to(second.address) as channel:
            after, _ = await search(stub_for(channel), request)
    assert [hit.memory.id for hit in after] == [stored.id]
    assert after == before


async def test_an_acknowledged_write_survives_kill_9_of_the_service(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as first:
        engine = first.engine()
        async with channel_to(first.address) as channel:
            stub = stub_for(channel)
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            requests = [
                pb.StoreRequest(
                    user_id="a", role=memory_pb2.ROLE_USER, content=f"{n}", embedding=packed_embedding(1.0, n)
                )
                for n in range(50)
            ]
            stored = await asyncio.gather(*(stub.Store(one, timeout=TIMEOUT) for one in requests))
            first.process.kill()
    await asyncio.to_thread(wait_for_exit, engine)
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as second:
        async with channel_to(second.address) as channel:
            request = pb.SearchRequest(query_text="q", k=100, filter=memory_pb2.MemoryFilter(user_id="a"))
            hits, _ = await search(stub_for(channel), request)
    assert {hit.memory.id for hit in hits} == {one.id for one in stored}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_and_its_engine(tmp_path: Path, number: signal.Signals) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as server_process:
        engine = server_process.engine()
        server_process.process.send_signal(number)
        assert server_process.process.wait(30) == 0
        wait_for_exit(engine)


async def test_sigterm_reports_not_ready_and_serves_while_draining(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path), MEMORY_DRAIN="3") as server_process:
        async with channel_to(server_process.address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            states = []
            async for response in watch:
                states.append(response.status)
                if response.status == health_pb2.HealthCheckResponse.SERVING:
                    server_process.process.terminate()
                elif len(states) > 1 and health_pb2.HealthCheckResponse.SERVING in states:
                    break
            assert states[-1] == health_pb2.HealthCheckResponse.NOT_SERVING
            watch.cancel()
            answer = await stub_for(channel).ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
            assert list(answer.indexes) == []
        assert await asyncio.to_thread(server_process.process.wait, 30) == 0


async def test_readiness_follows_the_engine_and_calls_are_unavailable(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path), MEMORY_VALKEY_TIMEOUT="2") as server_process:
        async with channel_to(server_process.address) as channel:
            stub = stub_for(channel)
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            engine = server_process.engine()
            engine.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.Store(store_request("a", "while it is paused"), timeout=TIMEOUT)
                assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.Store(store_request("a", "while it is paused"), timeout=0.5)
                assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
                await wait_for_health(channel, health_pb2.HealthCheckResponse.NOT_SERVING)
            finally:
                engine.send_signal(signal.SIGCONT)
            await wait_for_health(channel, health_pb2.HealthCheckResponse.SERVING)
            await stub.Store(store_request("a", "after it"), timeout=TIMEOUT)


def test_a_second_server_on_the_same_data_directory_is_refused(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)):
        other = subprocess.run(
            [*COMMAND, "serve"],
            env=environment(MEMORY_LISTEN="127.0.0.1:0", MEMORY_DATA_DIR=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert other.returncode == 1
    assert "MEMORY_DATA_DIR" in other.stderr


async def test_the_server_starts_without_valkey_and_becomes_ready_with_it(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path, appendfsync="no")
    await valkey.start()
    await valkey.stop()  # Its configuration with a free port remains, for a manual start.
    with run_server_process(MEMORY_VALKEY_URL=f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}") as server_process:
        async with channel_to(server_process.address) as channel:
            await wait_for_health(channel, health_pb2.HealthCheckResponse.NOT_SERVING)
            stub = stub_for(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert "Valkey cannot be reached" in str(caught.value.details())
            engine = await asyncio.create_subprocess_exec(find_engine().server, tmp_path / "valkey.conf")
            try:
                await wait_for_health(channel, health_pb2.HealthCheckResponse.SERVING)
                await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
                await stub.Store(store_request("a", "after it came"), timeout=TIMEOUT)
            finally:
                engine.terminate()
                await engine.wait()
