"""Label filters match any or all labels, and metadata is returned unchanged."""

import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding, search
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts

characters = st.characters(exclude_categories=["Cs"])
nasty = st.sampled_from(["a,b", "a", "b", "a|b", "*", "a*", "=>[KNN", " a ", "null", "A", "{a}", '"', "x_61", "_"])
labels = nasty | st.text(characters, min_size=1, max_size=16)
label_sets = st.lists(st.lists(labels, max_size=4, unique=True), min_size=1, max_size=6)


async def store(stub: Stub, user: str, *given_labels: str, **more: object) -> str:
    request = pb.StoreRequest(
        user_id=user,
        role=memory_pb2.ROLE_USER,
        content="c",
        embedding=packed_embedding(1.0),
        labels=given_labels,
        **more,  # type: ignore[arg-type]
    )
    return (await stub.Store(request, timeout=TIMEOUT)).id


async def test_every_read_returns_labels_and_metadata(stub: Stub, user: str) -> None:
    metadata = {"source": "wiki", "url": "https://example.com/?a=b&c", "empty": "", "ключ": 'значение "\\\n\u0000'}
    id_ = await store(stub, user, "work", "Über, alles", "🙂", metadata=metadata)
    where = memory_pb2.MemoryFilter(user_id=user)
    hits, _ = await search(stub, pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=where))
    got = await stub.Get(pb.GetRequest(user_id=user, id=id_), timeout=TIMEOUT)
    [one] = await list_all(stub, where)
    for memory in (hits[0].memory, got.memory, one):
        assert list(memory.labels) == ["work", "Über, alles", "🙂"]
        assert dict(memory.metadata) == metadata


@examples(20)
@given(label_sets, st.lists(labels, max_size=3), st.lists(labels, max_size=3))
@example([["a,b"], ["a", "b"], ["a"]], ["a"], [])
@example([["a,b"], ["a", "b"], ["A"]], [], ["a", "b"])
async def test_a_label_filter_matches_exactly_the_memories_with_its_labels(
    stub: Stub, sets: list[list[str]], any_of: list[str], all_of: list[str]
) -> None:
    user = uuid.uuid4().hex
    kept = [(await store(stub, user, *each), set(each)) for each in sets]
    where = memory_pb2.MemoryFilter(user_id=user, any_labels=any_of, all_labels=all_of)
    wanted = {id_ for id_, has in kept if (not any_of or has & set(any_of)) and has >= set(all_of)}
    hits, _ = await search(stub, pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=where, k=100))
    assert {hit.memory.id for hit in hits} == wanted
    assert {one.id for one in await list_all(stub, where)} == wanted


async def test_a_retry_must_repeat_labels_and_metadata(stub: Stub, user: str) -> None:
    await store(stub, user, "a", id="mine", metadata={"k": "v"})
    request = pb.StoreRequest(
        user_id=user,
        role=memory_pb2.ROLE_USER,
        content="c",
        embedding=packed_embedding(1.0),
        id="mine",
        labels=["a"],
        metadata={"k": "v"},
    )
    assert (await stub.Store(request, timeout=TIMEOUT)).already_stored
    request.metadata["k"] = "w"
    batch = await stub.BatchStore(pb.BatchStoreRequest(memories=[request]), timeout=TIMEOUT)
    assert batch.results[0].error.code == 6
