"""Both Python clients against a server that fails on purpose."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from semantic_memory import AsyncMemoryClient, MemoryClient, MemoryServiceError, pack, unpack
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.error_reason_pb2 import ERROR_REASON_INVALID_REQUEST
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceServicer, add_MemoryServiceServicer_to_server


class Scripted(MemoryServiceServicer):
    """Fails the first Stores, records their requests, and streams hits without end."""

    def __init__(self) -> None:
        self.stored: list[pb.StoreRequest] = []
        self.tokens: list[Any] = []
        self.seconds_left = 0.0
        self.cancelled = threading.Event()

    def Store(self, request: pb.StoreRequest, context: Any) -> pb.StoreResponse:
        self.stored.append(request)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        self.seconds_left = context.time_remaining()
        if len(self.stored) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return pb.StoreResponse(id="1")

    def Search(self, request: pb.SearchRequest, context: Any) -> Iterator[pb.SearchResponse]:  # noqa: ARG002
        context.add_callback(self.cancelled.set)
        yield pb.SearchResponse(hits=[pb.Hit(score=1)])
        self.cancelled.wait(30)

    def Get(self, request: pb.GetRequest, context: Any) -> pb.GetResponse:  # noqa: ARG002
        status = status_pb2.Status(code=3, message="id: too long")
        wrong = error_details_pb2.BadRequest.FieldViolation(field="id", reason="string.max_bytes")
        for detail in (
            error_details_pb2.ErrorInfo(reason="INVALID_REQUEST", metadata={"a": "b"}),
            error_details_pb2.BadRequest(field_violations=[wrong]),
        ):
            status.details.add().Pack(detail)
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, status.message)
        raise AssertionError


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def address(scripted: Scripted) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8))
    add_MemoryServiceServicer_to_server(scripted, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def memories(address: str) -> Iterator[MemoryClient]:
    with MemoryClient(address, token="secret") as client:
        yield client


def assert_one_store_was_retried(scripted: Scripted) -> None:
    assert len(scripted.stored) == 3
    assert scripted.stored[0].request_id
    assert scripted.stored[0] == scripted.stored[2]
    assert scripted.tokens == ["Bearer secret"] * 3
    assert 0 < scripted.seconds_left <= 30


def assert_typed(error: MemoryServiceError) -> None:
    assert str(error) == "INVALID_ARGUMENT INVALID_REQUEST: id: too long"
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == ERROR_REASON_INVALID_REQUEST
    assert error.metadata == {"a": "b"}
    assert error.violations[0].rule == "string.max_bytes"


def test_a_store_is_retried_under_one_request_id(memories: MemoryClient, scripted: Scripted) -> None:
    request = pb.StoreRequest(user_id="u")
    assert memories.store(request).id == "1"
    assert_one_store_was_retried(scripted)
    assert not request.request_id


async def test_a_store_is_retried_under_one_request_id_by_asyncio(address: str, scripted: Scripted) -> None:
    async with AsyncMemoryClient(address, token="secret") as memories:
        assert (await memories.store(pb.StoreRequest(user_id="u"))).id == "1"
    assert_one_store_was_retried(scripted)


def test_leaving_the_loop_ends_the_search_on_the_server(memories: MemoryClient, scripted: Scripted) -> None:
    hits = memories.search(pb.SearchRequest())
    for hit in hits:
        assert hit.score == 1
        break
    assert scripted.cancelled.wait(10)


async def test_leaving_the_loop_ends_the_search_on_the_server_by_asyncio(address: str, scripted: Scripted) -> None:
    async with AsyncMemoryClient(address) as memories:
        hits = memories.search(pb.SearchRequest())
        async for hit in hits:
            assert hit.score == 1
            break
        assert await asyncio.to_thread(scripted.cancelled.wait, 10)


def test_errors_are_typed(memories: MemoryClient) -> None:
    with pytest.raises(MemoryServiceError) as raised:
        memories.get(pb.GetRequest())
    assert_typed(raised.value)


async def test_errors_are_typed_by_asyncio(address: str) -> None:
    async with AsyncMemoryClient(address) as memories:
        with pytest.raises(MemoryServiceError) as raised:
            await memories.get(pb.GetRequest())
    assert_typed(raised.value)


def test_an_async_client_without_an_event_loop_is_refused() -> None:
    """It would belong to a loop that never runs, so its first call would fail."""
    with pytest.raises(RuntimeError, match="create it in a coroutine"):
        AsyncMemoryClient("127.0.0.1:1")


def test_the_error_for_a_wrong_address_is_one_line() -> None:
    with MemoryClient("127.0.0.1:1") as memories, pytest.raises(MemoryServiceError) as raised:
        memories.list_indexes(pb.ListIndexesRequest())
    assert "127.0.0.1:1" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_embeddings_keep_their_bits() -> None:
    bits = struct.pack("<4I", 0x00000001, 0x80000000, 0x7F7FFFFF, 0x3F800000)
    assert pack(unpack(bits)) == bits
    assert pack([1.0, -0.0]) == struct.pack("<2I", 0x3F800000, 0x80000000)
    with pytest.raises(ValueError, match="four bytes"):
        unpack(b"\0")
