"""The calls of the contract, for tests of each call during an outage."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.load import retry_delay
from tests.support.api import TIMEOUT, Stub, packed_embedding, stub_for
from tests.support.server_process import channel_to, run_server_process

WHERE = memory_pb2.MemoryFilter(user_id="alice")
DEADLINE = 3.0

SLOW_READER = [("grpc.http2.bdp_probe", 0)]
"""Options of a channel that buffers at most 64 kB ahead of its reader."""

Call = Callable[[Stub], Awaitable[object]]


def store(id_: str, user: str = "alice") -> pb.StoreRequest:
    """Return a StoreRequest with an embedding, so that it needs no embedder."""
    return pb.StoreRequest(
        user_id=user, role=memory_pb2.ROLE_USER, id=id_, content="a canary", embedding=packed_embedding(1.0)
    )


async def search_results(
    stub: Stub, request: pb.SearchRequest, deadline: float
) -> tuple[list[pb.Hit], pb.SearchSummary]:
    """Return the hits and the summary of a search."""
    chunks = [chunk async for chunk in stub.Search(request, timeout=deadline)]
    return [hit for chunk in chunks for hit in chunk.hits], chunks[-1].summary


SEARCHES = {
    "VECTOR": pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=WHERE),
    "TEXT": pb.SearchRequest(query_text="canary", mode=pb.SEARCH_MODE_TEXT, filter=WHERE),
    "HYBRID": pb.SearchRequest(
        query_text="canary", query_embedding=packed_embedding(1.0), mode=pb.SEARCH_MODE_HYBRID, filter=WHERE
    ),
}
"""A search in each mode; none needs the embedder."""

WRITES: dict[str, Call] = {
    "Store": lambda stub: stub.Store(store("new"), timeout=DEADLINE),
    "Delete": lambda stub: stub.Delete(pb.DeleteRequest(user_id="alice", ids=["another"]), timeout=DEADLINE),
    "DeleteMatching": lambda stub: stub.DeleteMatching(
        pb.DeleteMatchingRequest(filter=memory_pb2.MemoryFilter(user_id="another")), timeout=DEADLINE
    ),
}

READS: dict[str, Call] = {
    "VECTOR": lambda stub: search_results(stub, SEARCHES["VECTOR"], DEADLINE),
    "TEXT": lambda stub: search_results(stub, SEARCHES["TEXT"], DEADLINE),
    "HYBRID": lambda stub: search_results(stub, SEARCHES["HYBRID"], DEADLINE),
    "Get": lambda stub: stub.Get(pb.GetRequest(user_id="alice", id="there"), timeout=DEADLINE),
    "List": lambda stub: stub.List(pb.ListRequest(filter=WHERE), timeout=DEADLINE),
    "GetIndex": lambda stub: stub.GetIndex(pb.GetIndexRequest(), timeout=DEADLINE),
    "EnsureIndex": lambda stub: stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=DEADLINE),
}

CALLS = {**WRITES, **READS}


async def assert_unavailable(stub: Stub, call: Call) -> str:
    """Assert that a call fails with UNAVAILABLE and a retry delay before its deadline; return the message."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stub)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, caught.value
    assert retry_delay(caught.value), caught.value
    return str(caught.value.details())


async def wait_for_answer(stub: Stub, call: Call, *, within: float) -> None:
    """Repeat a call until it succeeds; fail if that takes longer than `within` seconds."""
    started = time.monotonic()
    while True:
        try:
            await call(stub)
        except grpc.aio.AioRpcError as error:
            assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}, error
            assert time.monotonic() - started < within, error
            await asyncio.sleep(0.05)
        else:
            break
    assert time.monotonic() - started < within


async def stub_with_index(channel: grpc.aio.Channel) -> Stub:
    """Create the default index; return a stub of the service."""
    stub = stub_for(channel)
    await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    return stub


@asynccontextmanager
async def service_stub(**settings: str) -> AsyncIterator[Stub]:
    """Run a server with an index and one memory of alice; yield a stub of it."""
    with run_server_process(**settings) as server_process:
        async with channel_to(server_process.address) as channel:
            stub = await stub_with_index(channel)
            await stub.Store(store("there"), timeout=TIMEOUT)
            yield stub


async def store_megabytes(stub: Stub, megabytes: int) -> None:
    """Store this many megabytes for alice, in memories of 40 kB."""
    for _ in range(megabytes):
        request = pb.BatchStoreRequest()
        for _ in range(25):
            request.memories.add(
                user_id="alice", role=memory_pb2.ROLE_USER, content="word " * 8000, embedding=packed_embedding(1.0)
            )
        await stub.BatchStore(request, timeout=TIMEOUT)
