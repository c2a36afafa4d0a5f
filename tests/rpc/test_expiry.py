"""An expired memory is in no search, list, count or Get, immediately and permanently."""

import asyncio
import time
import uuid
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.ids import derived_id
from memory_service.settings import Settings
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, filter_for_user, list_all, packed_embedding, search
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts


async def store(stub: Stub, user: str, content: str = "c", **more: Any) -> pb.StoreResponse:
    request = pb.StoreRequest(
        user_id=user,
        role=memory_pb2.ROLE_USER,
        content=content,
        session_id="s",
        embedding=packed_embedding(1.0),
        **more,
    )
    return await stub.Store(request, timeout=TIMEOUT)


def seconds_from_now(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(int(seconds * 1_000_000))
    return duration


async def contents_by_read(stub: Stub, user: str) -> dict[str, set[str]]:
    """Return the contents of a user's memories by each kind of read."""
    seen: dict[str, set[str]] = {}
    for mode, query in (
        (pb.SEARCH_MODE_VECTOR, {"query_embedding": packed_embedding(1.0)}),
        (pb.SEARCH_MODE_TEXT, {"query_text": "c lives ends"}),
        (pb.SEARCH_MODE_HYBRID, {"query_embedding": packed_embedding(1.0), "query_text": "c lives ends"}),
    ):
        request = pb.SearchRequest(**query, mode=mode, filter=filter_for_user(user), k=100, neighbor_weight=0.5)
        request.context.before = request.context.after = 10
        hits, summary = await search(stub, request)
        seen[pb.SearchMode.Name(mode)] = {hit.memory.content for hit in hits}
        seen[f"{pb.SearchMode.Name(mode)} context"] = {one.content for hit in hits for one in hit.context}
        assert summary.candidate_count == len(hits)
    seen["List"] = {one.content for one in await list_all(stub, filter_for_user(user))}
    return seen


async def count(stub: Stub, user: str) -> int:
    request = pb.DeleteMatchingRequest(filter=filter_for_user(user), dry_run=True)
    return (await stub.DeleteMatching(request, timeout=TIMEOUT)).count


async def test_an_expired_memory_is_in_no_result(stub: Stub, user: str) -> None:
    await store(stub, user, "lives")
    ends = await store(stub, user, "ends", ttl=seconds_from_now(0.6))
    await store(stub, user, "lives long", ttl=seconds_from_now(3600))
    await asyncio.sleep(0.7)
    assert all(seen == {"lives", "lives long"} for seen in (await contents_by_read(stub, user)).values())
    assert await count(stub, user) == 2
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Get(pb.GetRequest(user_id=user, id=ends.id), timeout=TIMEOUT)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    answer = await stub.Delete(pb.DeleteRequest(user_id=user, ids=[ends.id]), timeout=TIMEOUT)
    assert list(answer.missing_ids) == [ends.id]


async def test_the_engine_key_has_the_ttl(stub: Stub, user: str, engine: Connections, settings: Settings) -> None:
    stored = await store(stub, user, ttl=seconds_from_now(3600))
    left = await engine.run(["PTTL", f"mem_{settings.index}:{stored.id}"])
    assert 3_590_000 < left <= 3_600_000
    assert stored.expire_time.ToMicroseconds() == pytest.approx((time.time() + 3600) * 1e6, abs=10e6)


async def test_a_memory_without_a_ttl_has_no_expiry(
    stub: Stub, user: str, engine: Connections, settings: Settings
) -> None:
    stored = await store(stub, user)
    assert not stored.HasField("expire_time")
    assert await engine.run(["PTTL", f"mem_{settings.index}:{stored.id}"]) == -1


async def test_a_memory_whose_engine_ttl_was_lost_expires_anyway(
    stub: Stub, user: str, engine: Connections, settings: Settings
) -> None:
    ends = await store(stub, user, "ends", ttl=seconds_from_now(0.5), id="mine")
    assert ends.id == "mine"
    await store(stub, user, "lives")
    # As if the service had been killed between the write and PEXPIREAT.
    await engine.run(["PERSIST", f"mem_{settings.index}:{derived_id('id', user, 'mine')}"])
    await asyncio.sleep(0.6)
    assert all(seen == {"lives"} for seen in (await contents_by_read(stub, user)).values())
    assert await count(stub, user) == 1
    # Its id can be used again.
    assert not (await store(stub, user, "again", id="mine")).already_stored


async def test_a_repeated_store_keeps_the_first_expiry(stub: Stub, user: str) -> None:
    first = await store(stub, user, id="mine", ttl=seconds_from_now(3600))
    again = await store(stub, user, id="mine", ttl=seconds_from_now(7200))
    assert again.already_stored
    assert again.expire_time == first.expire_time


async def test_the_expiry_can_be_a_point_in_time(stub: Stub, user: str) -> None:
    end = Timestamp(seconds=int(time.time()) + 1000, nanos=123_456_000)
    stored = await store(stub, user, expire_time=end)
    assert stored.expire_time == end
    [memory] = await list_all(stub, filter_for_user(user))
    assert memory.expire_time == end


@examples(8)
@given(st.lists(st.sampled_from([0.2, 0.3, 3600.0, None]), min_size=1, max_size=12))
async def test_exactly_the_unexpired_memories_remain(stub: Stub, ttls: list[float | None]) -> None:
    user = uuid.uuid4().hex
    items = []
    for number, ttl in enumerate(ttls):
        one = pb.StoreRequest(
            user_id=user,
            role=memory_pb2.ROLE_USER,
            session_id="s",
            content=f"c{number}",
            embedding=packed_embedding(1.0),
        )
        if ttl is not None:
            one.ttl.CopyFrom(seconds_from_now(ttl))
        items.append(one)
    await stub.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
    await asyncio.sleep(0.4)
    left = {f"c{number}" for number, ttl in enumerate(ttls) if ttl in {None, 3600.0}}
    assert {one.content for one in await list_all(stub, filter_for_user(user))} == left
    assert await count(stub, user) == len(left)
    hits, _ = await search(
        stub, pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user), k=100)
    )
    assert {hit.memory.content for hit in hits} == left
