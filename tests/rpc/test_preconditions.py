"""Valid requests that cannot be served, and malformed messages, fail with a reason and change nothing."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.rpc.server import RpcServer
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.invalid_requests import error_of, key_count, search, store


@pytest.mark.parametrize(
    "make",
    [
        lambda index: store(index=index),
        lambda index: search(index=index),
        lambda index: pb.GetRequest(index=index, user_id="a", id="a"),
        lambda index: pb.DeleteRequest(index=index, user_id="a", ids=["a"]),
        lambda index: pb.GetIndexRequest(index=index),
    ],
    ids=["store", "search", "get", "delete", "get_index"],
)
async def test_an_unknown_index_is_not_found(
    stub: Stub, engine: Connections, make: Callable[[str], Message], new_index: Callable[[], str]
) -> None:
    name, before = new_index(), await key_count(engine)
    error, info, _ = await error_of(stub, make(name))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert (info.reason, info.metadata["index"]) == ("INDEX_NOT_FOUND", name)
    assert "EnsureIndex" in str(error.details())
    assert await key_count(engine) == before


@pytest.mark.parametrize("make", [store, search], ids=["store", "search"])
async def test_an_index_of_another_model_refuses_text(
    stub: Stub, engine: Connections, make: Callable[..., Message], new_index: Callable[[], str]
) -> None:
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name, dimension=3, embedding_model="mine"), timeout=TIMEOUT)
    before = await key_count(engine)
    error, info, _ = await error_of(stub, make(index=name))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert info.reason == "MODEL_MISMATCH"
    assert info.metadata["index_model"] == "mine"
    assert await key_count(engine) == before


async def test_an_embedding_of_another_model_is_refused(stub: Stub) -> None:
    error, info, _ = await error_of(stub, store(embedding=packed_embedding(1.0), embedding_model="another"))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert info.reason == "MODEL_MISMATCH"


async def test_a_passed_deadline_returns_deadline_exceeded(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Store(store(content="x" * 40_000), timeout=0.001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("packed_request", [b"\xff\xff\xff", b"\x12\x02\xff\xfe"], ids=["no message", "no UTF-8"])
@pytest.mark.parametrize("method", ["Store", "Search"])
async def test_a_malformed_message_is_refused_without_parser_details(
    server: RpcServer, method: str, packed_request: bytes
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        # For a client, a stream that fails before its first message looks like a failed unary call.
        call: Any = channel.unary_unary(f"/semantic_memory.v1.MemoryService/{method}")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(packed_request, timeout=TIMEOUT)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "generate the client from the contract" in str(caught.value.details())
