"""No id ever matches another: any Unicode, on the real engine, through the API."""

import uuid

from hypothesis import example, given, settings
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.world import TIMEOUT, Stub, packed, search

_NASTY = [*"*{}|,_ Aé", "a*", "a|b", "a,b", "=>[KNN", "\\*", "@user_id:{a}", " a ", "null", "42", "1e5"]
unicode = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
nasty = st.sampled_from(_NASTY)
ids = nasty | st.builds(str.__add__, nasty, unicode) | unicode | st.text("ab_*x", min_size=1)
ids = ids.filter(lambda text: len(text.encode()) <= 256)
EMBEDDING = packed(1.0)


async def found(memories: Stub, where: memory_pb2.MemoryFilter) -> set[str]:
    hits, _ = await search(memories, pb.SearchRequest(query_embedding=EMBEDDING, filter=where, k=1000))
    return {hit.memory.id for hit in hits}


async def stored(memories: Stub, user: str, session: str) -> str:
    request = pb.StoreRequest(
        user_id=user, session_id=session, role=memory_pb2.ROLE_USER, content="c", embedding=EMBEDDING
    )
    return (await memories.Store(request, timeout=TIMEOUT)).id


@settings(max_examples=60)
@given(st.lists(ids, min_size=2, max_size=5, unique=True))
@example(["a", "A", "a*", "x_61"])
@example(["_", "__"])
@example(["e\u0301", "\u00e9"])
async def test_no_user_finds_anothers_memory(memories: Stub, users: list[str]) -> None:
    kept = {user: await stored(memories, user, "s") for user in users}
    try:
        for user, id_ in kept.items():
            assert await found(memories, memory_pb2.MemoryFilter(user_id=user)) == {id_}
    finally:
        for user, id_ in kept.items():
            await memories.Delete(pb.DeleteRequest(user_id=user, ids=[id_]), timeout=TIMEOUT)


@settings(max_examples=60)
@given(st.lists(ids, min_size=3, max_size=5, unique=True))
@example(["a", "a|b", "b"])
async def test_no_session_brings_anothers_memory(memories: Stub, sessions: list[str]) -> None:
    user = uuid.uuid4().hex
    kept = {session: await stored(memories, user, session) for session in sessions}
    for session, id_ in kept.items():
        assert await found(memories, memory_pb2.MemoryFilter(user_id=user, session_ids=[session])) == {id_}
    two = sessions[:2]
    where = memory_pb2.MemoryFilter(user_id=user, session_ids=two)
    assert await found(memories, where) == {kept[session] for session in two}


@settings(max_examples=60)
@given(st.lists(ids, min_size=2, max_size=4, unique=True))
async def test_no_id_of_a_memory_names_another(memories: Stub, chosen: list[str]) -> None:
    user = uuid.uuid4().hex
    for id_ in chosen:
        request = pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content=id_, embedding=EMBEDDING, id=id_)
        assert (await memories.Store(request, timeout=TIMEOUT)).id == id_
    for id_ in chosen:
        got = await memories.Get(pb.GetRequest(user_id=user, id=id_), timeout=TIMEOUT)
        assert got.memory.content == id_
    answer = await memories.Delete(pb.DeleteRequest(user_id=user, ids=chosen[:1]), timeout=TIMEOUT)
    assert list(answer.deleted_ids) == chosen[:1]
    assert await found(memories, memory_pb2.MemoryFilter(user_id=user)) == set(chosen[1:])
