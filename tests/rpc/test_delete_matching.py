"""DeleteMatching deletes exactly the memories that match its filter."""

import uuid

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts

ROLES = [memory_pb2.ROLE_USER, memory_pb2.ROLE_ASSISTANT]


def item(user: str, session: str, role: memory_pb2.Role, seconds: int, labels: list[str]) -> pb.StoreRequest:
    return pb.StoreRequest(
        user_id=user,
        session_id=session,
        role=role,
        content="c",
        embedding=packed_embedding(1.0),
        timestamp=Timestamp(seconds=seconds),
        labels=labels,
    )


async def store(stub: Stub, items: list[pb.StoreRequest]) -> list[str]:
    ids = []
    for start in range(0, len(items), 100):
        request = pb.BatchStoreRequest(memories=items[start : start + 100])
        ids += [one.stored.id for one in (await stub.BatchStore(request, timeout=TIMEOUT)).results]
    return ids


async def delete(stub: Stub, where: memory_pb2.MemoryFilter, *, dry_run: bool = False) -> int:
    request = pb.DeleteMatchingRequest(filter=where, dry_run=dry_run)
    return (await stub.DeleteMatching(request, timeout=TIMEOUT)).count


kinds = st.tuples(
    st.sampled_from(["a", "A*", "a,b"]),
    st.sampled_from(["s", "S|s", ""]),
    st.sampled_from(ROLES),
    st.integers(0, 5),
    st.lists(st.sampled_from(["x", "y,z", "*"]), unique=True, max_size=2),
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "session_ids": st.lists(st.sampled_from(["s", "S|s", "*"]), max_size=2),
        "roles": st.lists(st.sampled_from(ROLES), max_size=1),
        "any_labels": st.lists(st.sampled_from(["x", "y,z", "*"]), max_size=2),
        "all_labels": st.lists(st.sampled_from(["x", "y,z", "*"]), max_size=2),
        "start_time": st.integers(0, 2).map(lambda seconds: Timestamp(seconds=seconds)),
        "end_time": st.integers(3, 6).map(lambda seconds: Timestamp(seconds=seconds)),
    },
)


def matches(request: pb.StoreRequest, where: memory_pb2.MemoryFilter) -> bool:
    """Return whether a memory matches the filter, computed independently of the service."""
    return (
        request.user_id == where.user_id
        and (not where.session_ids or request.session_id in where.session_ids)
        and (not where.roles or request.role in where.roles)
        and (not where.any_labels or bool(set(where.any_labels) & set(request.labels)))
        and set(where.all_labels) <= set(request.labels)
        and (not where.HasField("start_time") or request.timestamp.seconds >= where.start_time.seconds)
        and (not where.HasField("end_time") or request.timestamp.seconds < where.end_time.seconds)
    )


@examples(20)
@given(st.lists(kinds, min_size=1, max_size=12), filters)
async def test_only_memories_that_match_the_filter_are_deleted(
    stub: Stub,
    several: list[tuple[str, str, memory_pb2.Role, int, list[str]]],
    conditions: dict[str, object],
) -> None:
    one = uuid.uuid4().hex
    items = [item(one + user, session, role, at, labels) for user, session, role, at, labels in several]
    ids = dict(zip(await store(stub, items), items, strict=True))
    where = memory_pb2.MemoryFilter(user_id=one + "a", **conditions)  # type: ignore[arg-type]
    matching = {id_ for id_, request in ids.items() if matches(request, where)}
    assert await delete(stub, where, dry_run=True) == len(matching)
    assert await delete(stub, where) == len(matching)
    users = {request.user_id for request in items}
    left = [memory for user in users for memory in await list_all(stub, memory_pb2.MemoryFilter(user_id=user))]
    assert {memory.id for memory in left} == set(ids) - matching
    assert await delete(stub, where) == 0, "a repeated call deletes nothing"


async def test_a_dry_run_deletes_nothing(stub: Stub, user: str) -> None:
    ids = await store(stub, [item(user, "s", ROLES[0], n, []) for n in range(5)])
    where = memory_pb2.MemoryFilter(user_id=user)
    assert await delete(stub, where, dry_run=True) == 5
    assert [one.id for one in await list_all(stub, where)] == ids


async def test_more_than_a_thousand_memories_are_deleted(stub: Stub, user: str) -> None:
    await store(stub, [item(user, f"s{n % 2}", ROLES[0], n, []) for n in range(1300)])
    assert await delete(stub, memory_pb2.MemoryFilter(user_id=user, session_ids=["s0"])) == 650
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user), page_size=1000)) == 650


async def test_an_interrupted_delete_can_be_retried(stub: Stub, user: str) -> None:
    await store(stub, [item(user, "s", ROLES[0], n, []) for n in range(1200)])
    where = memory_pb2.MemoryFilter(user_id=user)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.DeleteMatching(pb.DeleteMatchingRequest(filter=where), timeout=0.02)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    before = len(await list_all(stub, where, page_size=1000))
    assert await delete(stub, where) <= before
    assert await list_all(stub, where) == []


async def test_delete_for_all_users_removes_only_what_the_filter_matches(stub: Stub, user: str) -> None:
    mine = f"only {user}"
    others = await store(stub, [item(f"{user}{n}", "s", ROLES[0], n, [mine]) for n in range(3)])
    kept = await store(stub, [item(f"{user}0", "s", ROLES[0], 9, [])])
    assert await delete(stub, memory_pb2.MemoryFilter(all_users=True, any_labels=[mine])) == len(others)
    assert [one.id for one in await list_all(stub, memory_pb2.MemoryFilter(user_id=f"{user}0"))] == kept
