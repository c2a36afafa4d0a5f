"""The memory of the server process stays within the chart's limit under the most expensive valid calls."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, filter_for_user, packed_embedding, stub_for
from tests.support.server_process import ServerProcess, run_server_process

pytestmark = pytest.mark.slow

LIMIT = 1024 * 2**20
"""Bytes of resources.limits.memory in the chart."""
START = 1_700_000_000
LONG_TIMEOUT = 120.0


def largest_memory(user: str, number: int, seconds: int) -> pb.StoreRequest:
    """Return a memory of the largest size, 330 kB."""
    request = pb.StoreRequest(
        user_id=user,
        session_id="s",
        role=memory_pb2.ROLE_USER,
        content="𝕳" * 49_990 + f"{number:010}",
        embedding=packed_embedding(1.0, number / 1000),
        metadata={f"k{n}": "𝕳" * 1024 for n in range(32)},
    )
    request.timestamp.FromSeconds(START + seconds)
    return request


@pytest.fixture(scope="module")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("engine")
    with run_server_process(MEMORY_DATA_DIR=str(folder)) as one:
        yield one


@pytest.fixture(scope="module")
async def clients(server_process: ServerProcess) -> AsyncIterator[Sequence[Stub]]:
    """Stubs with a connection each; the server has memories of the largest size."""
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(server_process.address, options=[("number", number)])
            )
            for number in range(4)
        ]
        stubs = [stub_for(one) for one in channels]
        await stubs[0].EnsureIndex(pb.EnsureIndexRequest(), timeout=LONG_TIMEOUT)
        for number in range(110):
            await stubs[0].Store(largest_memory("spread", number, number), timeout=TIMEOUT)
        for number in range(60):
            await stubs[0].Store(largest_memory("ties", number, 0), timeout=TIMEOUT)
        yield stubs


@contextmanager
def peak(server_process: ServerProcess) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the peak memory of the server process since the context was opened."""
    process, ended, most = psutil.Process(server_process.process.pid), threading.Event(), [0]

    def watch() -> None:
        while not ended.wait(0.005):
            most[0] = max(most[0], process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        thread.join()


async def search_hit_count(stub: Stub, user: str, **query: Any) -> int:
    request = pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user), **query)
    return sum([len(one.hits) async for one in stub.Search(request, timeout=LONG_TIMEOUT)])


async def list_page_size(stub: Stub, user: str) -> int:
    request = pb.ListRequest(filter=filter_for_user(user), page_size=1000, include_embeddings=True)
    return len((await stub.List(request, timeout=LONG_TIMEOUT)).memories)


async def batch(stub: Stub, packed_batch: bytes) -> int:
    request = pb.BatchStoreRequest.FromString(packed_batch)
    return len((await stub.BatchStore(request, timeout=10)).results)


WIDE = pb.ContextSize(before=10, after=10)
CALLS: dict[str, tuple[int, Callable[[Stub], Any]]] = {
    "large k": (16, lambda stub: search_hit_count(stub, "spread", k=1000)),
    "small k": (100, lambda stub: search_hit_count(stub, "spread", k=25)),
    "ranked": (16, lambda stub: search_hit_count(stub, "spread", k=100, diversity=0.5)),
    "contexts": (8, lambda stub: search_hit_count(stub, "spread", k=100, context=WIDE)),
    "ties": (8, lambda stub: search_hit_count(stub, "ties", k=60, context=pb.ContextSize(before=1))),
    "pages": (50, lambda stub: list_page_size(stub, "spread")),
}


async def run(clients: Sequence[Stub], calls: Sequence[Callable[[Stub], Any]]) -> list[Any]:
    """Make calls concurrently; return the results of those that were not shed."""
    outcomes = await asyncio.gather(
        *(call(clients[number % len(clients)]) for number, call in enumerate(calls)), return_exceptions=True
    )
    for one in outcomes:
        if isinstance(one, BaseException):
            assert isinstance(one, grpc.aio.AioRpcError)
            assert one.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}, one
    return [one for one in outcomes if isinstance(one, int)]


@pytest.mark.parametrize("name", CALLS)
async def test_large_reads_stay_within_the_memory_limit(
    server_process: ServerProcess, clients: Sequence[Stub], name: str
) -> None:
    count, call = CALLS[name]
    with peak(server_process) as most:
        answered = await run(clients, [call] * count)
        assert len(answered) >= 2
        assert all(answered)
        assert most() < LIMIT * 3 // 4


async def test_the_largest_batches_stay_within_the_memory_limit(
    server_process: ServerProcess, clients: Sequence[Stub]
) -> None:
    text = "word " * 8_000
    memories = [pb.StoreRequest(user_id="writer", role=memory_pb2.ROLE_USER, content=f"{n} {text}") for n in range(100)]
    largest = pb.BatchStoreRequest(memories=memories).SerializeToString()
    assert len(largest) > 4_000_000
    with peak(server_process) as most:
        await run(clients, [lambda stub: batch(stub, largest)] * 120)
        assert most() < LIMIT * 3 // 4


async def test_large_reads_and_batches_together_stay_within_the_memory_limit(
    server_process: ServerProcess, clients: Sequence[Stub]
) -> None:
    text = "word " * 8_000
    memories = [pb.StoreRequest(user_id="w", role=memory_pb2.ROLE_USER, content=f"{n} {text}") for n in range(100)]
    largest = pb.BatchStoreRequest(memories=memories).SerializeToString()
    calls = [call for count, call in CALLS.values() for _ in range(count // 2)]
    with peak(server_process) as most:
        await run(clients, [*([lambda stub: batch(stub, largest)] * 60), *calls])
        assert most() < LIMIT
