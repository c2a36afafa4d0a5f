"""No id matches another: any Unicode, through the API on a real engine."""

import uuid
from typing import Any

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.rpc.server import RpcServer
from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding, search
from tests.support.scale import examples

pytestmark = [pytest.mark.both_layouts, pytest.mark.slow]

_NASTY = [*"*{}|,_ Aé", "a*", "a|b", "a,b", "=>[KNN", "\\*", "@user_id:{a}", " a ", "null", "42", "1e5"]
unicode = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
nasty = st.sampled_from(_NASTY)
ids = nasty | st.builds(str.__add__, nasty, unicode) | unicode | st.text("ab_*x", min_size=1)
ids |= st.sampled_from(
    ["user", "user1", "user10", "USER", "Úser", "U\u0301ser", "\u0301", " ", "\t", "\n", "-", "'", "x_"]
)
ids |= (
    st.text(st.sampled_from("{}|*,\\-:@\"'()[]~=>"), min_size=1, max_size=8) | st.just("é" * 128) | st.just("é" * 127)
)
ids = ids.filter(lambda text: len(text.encode()) <= 256)
EMBEDDING = packed_embedding(1.0)


async def found(stub: Stub, where: memory_pb2.MemoryFilter) -> set[str]:
    hits, _ = await search(stub, pb.SearchRequest(query_embedding=EMBEDDING, filter=where, k=1000))
    return {hit.memory.id for hit in hits}


async def store(stub: Stub, user: str, session: str) -> str:
    request = pb.StoreRequest(
        user_id=user, session_id=session, role=memory_pb2.ROLE_USER, content="c", embedding=EMBEDDING
    )
    return (await stub.Store(request, timeout=TIMEOUT)).id


@examples(30)
@given(st.lists(ids, min_size=2, max_size=5, unique=True))
@example(["a", "A", "a*", "x_61"])
@example(["_", "__"])
@example(["e\u0301", "\u00e9"])
async def test_no_user_finds_another_users_memory(stub: Stub, users: list[str]) -> None:
    ids_by_owner = {user: await store(stub, user, "s") for user in users}
    try:
        for user, id_ in ids_by_owner.items():
            assert await found(stub, memory_pb2.MemoryFilter(user_id=user)) == {id_}
    finally:
        for user, id_ in ids_by_owner.items():
            await stub.Delete(pb.DeleteRequest(user_id=user, ids=[id_]), timeout=TIMEOUT)


@examples(30)
@given(st.lists(ids, min_size=3, max_size=5, unique=True))
@example(["a", "a|b", "b"])
async def test_no_session_filter_matches_another_session(stub: Stub, sessions: list[str]) -> None:
    user = uuid.uuid4().hex
    ids_by_owner = {session: await store(stub, user, session) for session in sessions}
    for session, id_ in ids_by_owner.items():
        assert await found(stub, memory_pb2.MemoryFilter(user_id=user, session_ids=[session])) == {id_}
    two = sessions[:2]
    where = memory_pb2.MemoryFilter(user_id=user, session_ids=two)
    assert await found(stub, where) == {ids_by_owner[session] for session in two}


@examples(30)
@given(st.lists(ids, min_size=2, max_size=4, unique=True))
async def test_every_memory_id_names_only_its_memory(stub: Stub, chosen: list[str]) -> None:
    user = uuid.uuid4().hex
    for id_ in chosen:
        request = pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content=id_, embedding=EMBEDDING, id=id_)
        assert (await stub.Store(request, timeout=TIMEOUT)).id == id_
    for id_ in chosen:
        got = await stub.Get(pb.GetRequest(user_id=user, id=id_), timeout=TIMEOUT)
        assert got.memory.content == id_
    answer = await stub.Delete(pb.DeleteRequest(user_id=user, ids=chosen[:1]), timeout=TIMEOUT)
    assert list(answer.deleted_ids) == chosen[:1]
    assert await found(stub, memory_pb2.MemoryFilter(user_id=user)) == set(chosen[1:])


def one(user: str, session: str, label: str, id_: str) -> pb.StoreRequest:
    return pb.StoreRequest(
        user_id=user,
        session_id=session,
        role=memory_pb2.ROLE_USER,
        content="the same words for everyone",
        embedding=EMBEDDING,
        labels=[label[:16]],
        id=id_,
    )


async def ids_by_read(stub: Stub, where: memory_pb2.MemoryFilter) -> list[set[tuple[str, str]]]:
    """Return the users and ids of the memories that match a filter, by every kind of read."""
    sets = []
    for mode in (pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_TEXT, pb.SEARCH_MODE_HYBRID):
        request = pb.SearchRequest(filter=where, k=100, mode=mode, neighbor_weight=0.5)
        request.context.before = request.context.after = 10
        request.query_text = "" if mode == pb.SEARCH_MODE_VECTOR else "same words"
        request.query_embedding = b"" if mode == pb.SEARCH_MODE_TEXT else EMBEDDING
        hits, summary = await search(stub, request)
        assert summary.candidate_count == len(hits)
        sets.append({(hit.memory.user_id, hit.memory.id) for hit in hits})
        sets.append({(memory.user_id, memory.id) for hit in hits for memory in (hit.memory, *hit.context)})
    sets.append({(memory.user_id, memory.id) for memory in await list_all(stub, where)})
    return sets


async def count(stub: Stub, where: memory_pb2.MemoryFilter) -> int:
    request = pb.DeleteMatchingRequest(filter=where, dry_run=True)
    return (await stub.DeleteMatching(request, timeout=TIMEOUT)).count


async def not_found(stub: Stub, user: str, id_: str) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(pb.GetRequest(user_id=user, id=id_), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    return str(caught.value.details())


@examples(20)
@given(st.lists(ids, min_size=2, max_size=4, unique=True), ids, ids, ids)
@example(["a", "A"], "s", "l", "m")
@example(["user1", "user10"], "*", "a,b", "x_61")
async def test_no_call_sees_counts_or_deletes_another_users_memories(
    stub: Stub, users: list[str], session: str, label: str, id_: str
) -> None:
    try:
        # All have the same session, label and id; only the user differs.
        for user in users:
            stored = await stub.Store(one(user, session, label, id_), timeout=TIMEOUT)
            assert not stored.already_stored, "ids of other users can be used"
        for user in users:
            for where in (
                memory_pb2.MemoryFilter(user_id=user),
                memory_pb2.MemoryFilter(user_id=user, session_ids=[session], any_labels=[label[:16]]),
            ):
                assert all(found == {(user, id_)} for found in await ids_by_read(stub, where))
                assert await count(stub, where) == 1
        first, *others = users
        delete_first = pb.DeleteMatchingRequest(filter=memory_pb2.MemoryFilter(user_id=first))
        assert (await stub.DeleteMatching(delete_first, timeout=TIMEOUT)).count == 1
        there, nowhere = await not_found(stub, first, id_), await not_found(stub, first, "none at all")
        assert there == nowhere, "the error does not reveal that another user has it"
        missing = await stub.Delete(pb.DeleteRequest(user_id=first, ids=[id_]), timeout=TIMEOUT)
        assert list(missing.missing_ids) == [id_]
        for user in others:
            assert all(
                found == {(user, id_)} for found in await ids_by_read(stub, memory_pb2.MemoryFilter(user_id=user))
            )
    finally:
        for user in users:
            await stub.Delete(pb.DeleteRequest(user_id=user, ids=[id_]), timeout=TIMEOUT)


async def test_a_page_token_is_refused_for_another_user(stub: Stub) -> None:
    alice, bob = uuid.uuid4().hex, uuid.uuid4().hex
    for user in (alice, bob):
        for number in range(3):
            await stub.Store(one(user, "s", "l", f"{number}"), timeout=TIMEOUT)
    first = pb.ListRequest(filter=memory_pb2.MemoryFilter(user_id=alice), page_size=1)
    first.page_token = (await stub.List(first, timeout=TIMEOUT)).next_page_token
    first.filter.user_id = bob
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.List(first, timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert alice not in str(caught.value.details())


@pytest.mark.parametrize("surrogate", [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xff", b"\xc0\x80"])
async def test_an_id_that_is_not_utf8_is_refused(server: RpcServer, surrogate: bytes) -> None:
    packed_request = b"\x12" + bytes([len(surrogate)]) + surrogate
    async with grpc.aio.insecure_channel(server.address) as channel:
        store: Any = channel.unary_unary("/semantic_memory.v1.MemoryService/Store")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await store(packed_request, timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@examples(20)
@given(st.lists(ids, min_size=2, max_size=4, unique=True))
async def test_only_the_excluded_sessions_are_left_out(stub: Stub, sessions: list[str]) -> None:
    user = uuid.uuid4().hex
    ids_by_owner = {session: await store(stub, user, session) for session in sessions}
    where = memory_pb2.MemoryFilter(user_id=user, exclude_session_ids=sessions[:1])
    assert await found(stub, where) == {ids_by_owner[session] for session in sessions[1:]}
