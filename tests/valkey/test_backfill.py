"""While an index is built over existing memories, no result is presented as complete."""

import asyncio
from collections import Counter
from collections.abc import Callable

import grpc
import numpy as np
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, packed_embedding, search
from tests.support.credentials import error_reason

pytestmark = [pytest.mark.both_layouts, pytest.mark.slow]

COUNT = 3000
"""Enough memories for a build that takes a while."""
BEFORE_CREATION = {"NOT_FOUND INDEX_NOT_FOUND", "FAILED_PRECONDITION MODEL_MISMATCH"}
"""Errors before EnsureIndex has created the first part of the index, and before it has recorded the model."""


@pytest.fixture
async def index(stub: Stub, new_index: Callable[[], str], user: str) -> str:
    """The name of a dropped index whose memories still exist, so that it can be created again over them."""
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    embeddings = np.random.default_rng(1).standard_normal((COUNT, 384)).astype("<f4")
    stored = [
        pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content="c", embedding=one.tobytes())
        for one in embeddings
    ]
    for start in range(0, COUNT, 100):
        request = pb.BatchStoreRequest(index=name, memories=stored[start : start + 100])
        answer = await stub.BatchStore(request, timeout=TIMEOUT)
        assert all(one.HasField("stored") for one in answer.results)
    await stub.DropIndex(pb.DropIndexRequest(index=name), timeout=TIMEOUT)
    return name


class Reader:
    """Reads all memories by count, list and search; each result is complete, degraded or an error."""

    def __init__(self, stub: Stub, index: str, user: str) -> None:
        self.stub = stub
        self.index = index
        self.where = memory_pb2.MemoryFilter(user_id=user)
        self.errors: Counter[str] = Counter()

    async def once(self) -> None:
        ways = (self._counts, self._lists, self._searches)
        for error in await asyncio.gather(*(way() for way in ways), return_exceptions=True):
            if isinstance(error, grpc.aio.AioRpcError):
                self.errors[f"{error.code().name} {error_reason(error)}"] += 1
            elif error is not None:
                raise error

    async def _counts(self) -> None:
        request = pb.DeleteMatchingRequest(index=self.index, filter=self.where, dry_run=True)
        assert (await self.stub.DeleteMatching(request, timeout=TIMEOUT)).count == COUNT

    async def _lists(self) -> None:
        request = pb.ListRequest(index=self.index, filter=self.where, page_size=1000)
        found = 0
        for _ in range(COUNT // 1000):
            page = await self.stub.List(request, timeout=TIMEOUT)
            found += len(page.memories)
            request.page_token = page.next_page_token
        assert (found, page.next_page_token) == (COUNT, "")

    async def _searches(self) -> None:
        request = pb.SearchRequest(index=self.index, query_embedding=packed_embedding(1.0), filter=self.where, k=1000)
        hits, summary = await search(self.stub, request)
        assert len(hits) == 1000 or summary.degraded


async def test_calls_fail_and_searches_are_degraded_while_an_index_is_building(
    stub: Stub, index: str, user: str
) -> None:
    reader = Reader(stub, index, user)
    creation = stub.EnsureIndex(pb.EnsureIndexRequest(index=index), timeout=TIMEOUT)
    while not creation.done():
        await reader.once()
    assert (await creation).created
    assert reader.errors.pop("UNAVAILABLE INDEX_BACKFILLING")
    assert not reader.errors.keys() - BEFORE_CREATION
    reader.errors.clear()
    await reader.once()
    assert not reader.errors
    deleted = await stub.DeleteMatching(pb.DeleteMatchingRequest(index=index, filter=reader.where), timeout=TIMEOUT)
    assert deleted.count == COUNT
