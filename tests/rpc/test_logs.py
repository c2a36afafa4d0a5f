"""The log of a server process: one line for each call, without any content of requests."""

import asyncio
import json
import os
import pty
import subprocess
import uuid
from collections.abc import Callable, Iterator

import grpc
import pytest
from semantic_memory import MemoryClient
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, search, store_request, stub_for
from tests.support.credentials import api_key
from tests.support.server_process import (
    COMMAND,
    ServerProcess,
    channel_to,
    environment,
    run_server_process,
    wait_for_log_lines,
)

pytestmark = pytest.mark.slow

ALICE = memory_pb2.MemoryFilter(user_id="alice")


@pytest.fixture(scope="module")
def server_process(
    tmp_path_factory: pytest.TempPathFactory,
    valkey_url: str,
    engine: Connections,  # noqa: ARG001 - cleans up after the server has stopped
) -> Iterator[ServerProcess]:
    """A server with an API key and its own index, which exists."""
    folder = tmp_path_factory.mktemp("logs")
    key, entry = api_key("the-backend", None, "read", "write", "admin")
    folder.joinpath("keys").write_text(entry)
    with run_server_process(
        MEMORY_VALKEY_URL=valkey_url,
        MEMORY_INDEX=f"test_{uuid.uuid4().hex[:12]}",
        MEMORY_API_KEYS=str(folder / "keys"),
    ) as server_process:
        server_process.key = key
        with MemoryClient(server_process.address, token=key) as client:
            client.ensure_index(pb.EnsureIndexRequest())
        yield server_process


def metadata(server_process: ServerProcess, **more: str) -> tuple[tuple[str, str], ...]:
    return (
        ("authorization", f"Bearer {server_process.key}"),
        *((name.replace("_", "-"), one) for name, one in more.items()),
    )


async def test_each_call_has_one_line_with_caller_method_code_and_duration(server_process: ServerProcess) -> None:
    async with channel_to(server_process.address) as channel:
        stub = stub_for(channel)
        for n in range(3):
            await stub.Store(
                store_request("alice", f"a secret canary {n}"), timeout=TIMEOUT, metadata=metadata(server_process)
            )
        request = pb.SearchRequest(query_text="my private bird", filter=ALICE)
        call = stub.Search(request, timeout=TIMEOUT, metadata=metadata(server_process, x_request_id="order-66"))
        assert len([hit async for response in call for hit in response.hits]) == 3
        assert dict(await call.trailing_metadata())["x-request-id"] == "order-66"
    [line] = await wait_for_log_lines(server_process, "call", method="Search")
    assert line["level"] == "info"
    assert (line["code"], line["caller"], line["results"]) == ("OK", "the-backend", 3)
    assert line["request_id"] == "order-66"
    assert 0 < line["embed_ms"] + line["engine_ms"] < line["ms"] < TIMEOUT * 1000
    assert line["rank_ms"] > 0
    assert line["stream_ms"] > 0
    stores = server_process.call_lines("Store")
    assert len(stores) == 3
    assert len({one["request_id"] for one in stores}) == 3
    log = json.dumps(server_process.log)
    for secret in ("canary", "bird", "alice", server_process.key, "s1"):
        assert secret not in log


async def test_a_failed_call_logs_its_reason_and_returns_its_request_id(server_process: ServerProcess) -> None:
    async with channel_to(server_process.address) as channel:
        stub = stub_for(channel)
        request = pb.GetRequest(user_id="alice", id="a_secret_id")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Get(request, timeout=TIMEOUT, metadata=metadata(server_process))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)
    [line] = await wait_for_log_lines(server_process, "call", method="Get")
    assert (line["code"], line["reason"], line["level"]) == ("NOT_FOUND", "MEMORY_NOT_FOUND", "info")
    assert dict(failed.value.trailing_metadata())["x-request-id"] == line["request_id"]
    [refused] = await wait_for_log_lines(server_process, "call", method="List")
    assert (refused["code"], refused["reason"], refused["caller"]) == ("UNAUTHENTICATED", "UNAUTHENTICATED", "")
    assert "a_secret_id" not in json.dumps(server_process.log)


@pytest.mark.parametrize("request_id", ["two words", "x" * 129, "a{b}", ""])
async def test_an_unsafe_request_id_is_replaced(server_process: ServerProcess, request_id: str) -> None:
    async with channel_to(server_process.address) as channel:
        call = stub_for(channel).ListIndexes(
            pb.ListIndexesRequest(), timeout=TIMEOUT, metadata=metadata(server_process, x_request_id=request_id)
        )
        await call
        given = dict(await call.trailing_metadata())["x-request-id"]
    assert len(str(given)) == 32
    assert given != request_id


async def test_cancelled_and_timed_out_calls_are_logged(server_process: ServerProcess) -> None:
    texts = [f"{uuid.uuid4()} {'a long text ' * 200}" for _ in range(100)]  # seconds of embedding
    memories = [store_request("alice", one) for one in texts]
    async with channel_to(server_process.address) as channel:
        stub = stub_for(channel)
        timed_out = metadata(server_process, x_request_id="timed-out")
        stored = await asyncio.gather(
            *(stub.Store(one, timeout=0.3, metadata=timed_out) for one in memories), return_exceptions=True
        )
        assert {one.code() for one in stored if isinstance(one, grpc.aio.AioRpcError)} == {
            grpc.StatusCode.DEADLINE_EXCEEDED
        }
        call = stub.BatchStore(
            pb.BatchStoreRequest(memories=memories),
            timeout=TIMEOUT,
            metadata=metadata(server_process, x_request_id="cancelled-call"),
        )
        await asyncio.sleep(0.2)
        call.cancel()
        [cancelled] = await wait_for_log_lines(server_process, "call", request_id="cancelled-call")
        await wait_for_log_lines(server_process, "call", request_id="timed-out", code="DEADLINE_EXCEEDED")
    assert cancelled["code"] == "CANCELLED"
    assert not [line for line in server_process.log if line["event"] == "bug"]


async def test_sampling_drops_successes_and_logs_every_failure(valkey_url: str, new_index: Callable[[], str]) -> None:
    settings = {"MEMORY_VALKEY_URL": valkey_url, "MEMORY_INDEX": new_index(), "MEMORY_LOG_SAMPLE": "0"}
    with run_server_process(**settings) as server_process:
        async with channel_to(server_process.address) as channel:
            stub = stub_for(channel)
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            await stub.Store(store_request("alice", "a canary"), timeout=TIMEOUT)
            assert len((await search(stub, pb.SearchRequest(query_text="bird", filter=ALICE)))[0]) == 1
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Store(pb.StoreRequest(), timeout=TIMEOUT)
    assert [line["code"] for line in server_process.log if line["event"] == "call"] == ["INVALID_ARGUMENT"]


def test_logs_on_a_terminal_are_text(valkey_url: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env=environment(MEMORY_LISTEN="127.0.0.1:0", MEMORY_VALKEY_URL=valkey_url, MEMORY_DRAIN="0"),
        stderr=theirs,
    )
    os.close(theirs)
    try:
        output = b""
        while b"ready" not in output:
            output += os.read(ours, 4096)
    finally:
        process.terminate()
        process.wait(30)
        os.close(ours)
    assert b"serving" in output
    assert b'{"' not in output


async def test_library_logs_are_json_lines(valkey_url: str) -> None:
    with run_server_process(
        MEMORY_VALKEY_URL=valkey_url, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1"
    ) as server_process:
        async with channel_to(server_process.address) as channel:
            await stub_for(channel).ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
    lines = [line for line in server_process.log if line["event"] == "library"]
    assert lines
    assert {line["name"].split(".")[0] for line in lines} == {"opentelemetry"}
