"""List returns every memory once, in order of time, during concurrent changes too."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain import listing
from memory_service.domain.types import EARLIEST, LATEST, IndexInfo
from memory_service.valkey import capabilities
from memory_service.valkey.connections import Command
from memory_service.valkey.memories import ValkeyMemories
from tests.support.api import TIMEOUT, Stub, filter_for_user, list_all, packed_embedding, store_at
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts
OLDEST, NEWEST = pb.LIST_ORDER_OLDEST_FIRST, pb.LIST_ORDER_NEWEST_FIRST


YEAR_2252 = 8_900_000_000_000_000


times = st.lists(
    st.sampled_from([-1, 0, 1, 2, 1_700_000_000_000_000])
    | st.integers(EARLIEST, LATEST)
    | st.integers(YEAR_2252, YEAR_2252 + 20),
    max_size=40,
)


@examples(20)
@given(times, st.integers(2, 15), st.sampled_from([OLDEST, NEWEST]))
async def test_all_pages_together_are_all_memories_in_order(
    stub: Stub, written: list[int], size: int, order: pb.ListOrder
) -> None:
    user = uuid.uuid4().hex
    ids = await store_at(stub, user, written)
    found = await list_all(stub, filter_for_user(user), order=order, page_size=size)
    keys = [(one.timestamp.ToMicroseconds(), one.id) for one in found]
    assert sorted(one.id for one in found) == sorted(ids)
    assert keys == sorted(keys, reverse=order == NEWEST)


@examples(10)
@given(st.integers(2, 6), st.sampled_from([OLDEST, NEWEST]), st.randoms())
async def test_unchanged_memories_are_listed_once_while_others_change(
    stub: Stub, size: int, order: pb.ListOrder, chance: random.Random
) -> None:
    user = uuid.uuid4().hex
    ids = await store_at(stub, user, [chance.randrange(5) for _ in range(30)])
    passing = chance.sample(ids, 10)
    request = pb.ListRequest(filter=filter_for_user(user), order=order, page_size=size)
    seen: list[str] = []
    while True:
        page = await stub.List(request, timeout=TIMEOUT)
        seen += [one.id for one in page.memories]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        if passing:
            await stub.Delete(pb.DeleteRequest(user_id=user, ids=[passing.pop()]), timeout=TIMEOUT)
            await store_at(stub, user, [chance.randrange(5)])
    assert len(seen) == len(set(seen)), "no memory is listed twice"
    left = {one.id for one in await list_all(stub, filter_for_user(user))}
    assert set(ids) & left <= set(seen), "no unchanged memory is missing"


@examples(15)
@given(times, st.integers(2, 8), st.sampled_from([OLDEST, NEWEST]))
@example([-1] * 6 + [LATEST - 15], 2, NEWEST)
@example([-1] * 6 + [15_837_643_799_999_999], 2, OLDEST)
async def test_more_memories_than_the_engine_can_sort_are_listed_in_time_windows(
    stub: Stub, written: list[int], size: int, order: pb.ListOrder
) -> None:
    user = uuid.uuid4().hex
    ids = await store_at(stub, user, written)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(listing, "_MAX_SORTED", 0)
        small.setattr(capabilities, "COUNT_LIMIT", 7)
        found = await list_all(stub, filter_for_user(user), order=order, page_size=size)
        count = await stub.DeleteMatching(
            pb.DeleteMatchingRequest(filter=filter_for_user(user), dry_run=True), timeout=TIMEOUT
        )
    keys = [(one.timestamp.ToMicroseconds(), one.id) for one in found]
    assert keys == sorted(keys, reverse=order == NEWEST)
    assert sorted(one.id for one in found) == sorted(ids)
    assert count.count == len(ids)


async def test_a_memory_replaced_during_the_read_does_not_end_the_list(
    stub: Stub, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_at(stub, user, [1])
    [replaced] = await store_at(stub, user, [2])
    read = ValkeyMemories._read
    later: list[str] = []

    async def replace_then_read(self: ValkeyMemories, index: IndexInfo, commands: Sequence[Command]) -> list[Any]:
        monkeypatch.setattr(ValkeyMemories, "_read", read)
        later.extend(await store_at(stub, user, [3]))
        await stub.Delete(pb.DeleteRequest(user_id=user, ids=[replaced]), timeout=TIMEOUT)
        return await read(self, index, commands)

    monkeypatch.setattr(ValkeyMemories, "_read", replace_then_read)
    found = [one.id for one in await list_all(stub, filter_for_user(user), page_size=1000)]
    assert len(found) == 2
    assert found[-1:] == later


async def test_list_returns_only_memories_that_match_the_filter(stub: Stub, user: str) -> None:
    await store_at(stub, user, [1, 2, 3], session="a")
    kept = await store_at(stub, user, [1_000_000, 2_000_000, 3_000_000], session="b")
    where = filter_for_user(user, session_ids=["b"], start_time=Timestamp(seconds=2))
    assert [one.id for one in await list_all(stub, where)] == kept[1:]


async def test_a_page_has_the_requested_size_and_the_last_page_has_no_token(stub: Stub, user: str) -> None:
    await store_at(stub, user, list(range(120)))
    page = await stub.List(pb.ListRequest(filter=filter_for_user(user)), timeout=TIMEOUT)
    assert len(page.memories) == 100
    assert page.next_page_token
    rest = await stub.List(
        pb.ListRequest(filter=filter_for_user(user), page_token=page.next_page_token), timeout=TIMEOUT
    )
    assert len(rest.memories) == 20
    assert not rest.next_page_token
    exact = await stub.List(pb.ListRequest(filter=filter_for_user(user), page_size=120), timeout=TIMEOUT)
    assert not exact.next_page_token, "a full last page has no token"


async def test_pages_of_long_memories_end_early(stub: Stub, user: str) -> None:
    ids = await store_at(stub, user, list(range(60)), content="漢" * 40_000)
    request = pb.ListRequest(filter=filter_for_user(user), page_size=1000)
    page = await stub.List(request, timeout=TIMEOUT)
    assert 0 < len(page.memories) < 60
    assert page.ByteSize() < 4 * 2**20
    assert [one.id for one in await list_all(stub, filter_for_user(user), page_size=1000)] == ids


async def test_embeddings_are_listed_only_on_request(stub: Stub, user: str) -> None:
    await store_at(stub, user, [1])
    [plain] = await list_all(stub, filter_for_user(user))
    assert plain.embedding == b""
    page = await stub.List(pb.ListRequest(filter=filter_for_user(user), include_embeddings=True), timeout=TIMEOUT)
    assert page.memories[0].embedding == packed_embedding(1.0)


async def test_concurrent_lists_do_not_affect_each_other(stub: Stub, user: str) -> None:
    ids = await store_at(stub, user, list(range(50)))
    found = await asyncio.gather(*(list_all(stub, filter_for_user(user), page_size=size) for size in (3, 7, 11, 50)))
    assert all([one.id for one in each] == ids for each in found)
    assert all(a.timestamp.ToMicroseconds() <= b.timestamp.ToMicroseconds() for a, b in pairwise(found[0]))


@pytest.mark.parametrize("order", [pb.LIST_ORDER_OLDEST_FIRST, pb.LIST_ORDER_NEWEST_FIRST])
@pytest.mark.parametrize("page_size", [3, 100])
async def test_memories_with_equal_timestamps_are_listed_by_id(
    stub: Stub, user: str, order: pb.ListOrder, page_size: int
) -> None:
    ids = ["b", "a", "Z", "msg-10", "msg-2", "é", "\x01" * 200, "x" * 256, "", ""]
    items = [
        pb.StoreRequest(
            user_id=user,
            role=memory_pb2.ROLE_USER,
            content="c",
            id=id_,
            embedding=packed_embedding(1.0),
            timestamp=Timestamp(seconds=1_700_000_000),
        )
        for id_ in ids
    ]
    await stub.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
    found = [one.id for one in await list_all(stub, filter_for_user(user), order=order, page_size=page_size)]
    assert len(found) == len(ids)
    assert found == sorted(found, reverse=order == pb.LIST_ORDER_NEWEST_FIRST)
