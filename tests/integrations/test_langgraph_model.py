"""The LangGraph store compared with a dict, with memories of other software beside its items."""

import hashlib
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from semantic_memory import MemoryClient
from semantic_memory.langgraph import SemanticMemoryStore
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_SYSTEM, ROLE_USER

from tests.support.scale import examples

pytestmark = pytest.mark.slow

Address = tuple[tuple[str, ...], str]

labels = st.sampled_from(["a", "b", "ü", "*"]) | st.text(
    st.characters(exclude_characters=".\0", codec="utf-8"), min_size=1
)
namespaces = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map(tuple) | st.lists(
    labels, min_size=1, max_size=17
).map(tuple)
addresses = st.tuples(namespaces, st.sampled_from(["k", "l"]) | st.text(max_size=5))
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
item_values = st.fixed_dictionaries({"n": st.integers(0, 3)}, optional={"x": json_values})

shapes = st.fixed_dictionaries(
    {"namespace": st.just(["a"]) | json_values, "key": st.just("k") | json_values, "value": st.just({}) | json_values}
)
texts_of_json = (
    (shapes | json_values | st.just({"type": "human", "data": {"content": "hi"}})).map(json.dumps)
    | st.text(max_size=20)
    | st.just("[" * 4000)
)
foreign_memories = st.builds(
    lambda metadata, words, role, content: pb.StoreRequest(
        role=role, content=content, metadata=metadata, labels=sorted(words), session_id="other"
    ),
    st.dictionaries(st.sampled_from(["json.00", "json.01", "json", "created_us"]), texts_of_json, max_size=3),
    st.sets(
        st.sampled_from(
            ["searched", *(hashlib.sha256(json.dumps(one).encode()).hexdigest() for one in (["a"], [["a"], "k"]))]
        )
    ),
    st.sampled_from([ROLE_SYSTEM, ROLE_USER]),
    st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=20),
)
puts = st.builds(lambda address, value: PutOp(address[0], address[1], value), addresses, st.none() | item_values)
steps = st.lists(puts | foreign_memories, max_size=12)


@examples(20)
@given(steps, st.lists(addresses, max_size=3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3))
def test_the_store_behaves_like_a_dict_beside_foreign_memories(
    client: MemoryClient, operations: list[Any], other_addresses: list[Address], number: int, limit: int, offset: int
) -> None:
    user = uuid.uuid4().hex
    store, model = SemanticMemoryStore(client, user_id=user), dict[Address, dict[str, Any]]()
    for step in operations:
        if isinstance(step, pb.StoreRequest):
            step.user_id = user
            client.store(step)
            continue
        _, item = store.batch([step, GetOp(step.namespace, step.key)])
        assert (item.value if isinstance(item, Item) else item) == step.value
        if step.value is None:
            model.pop((step.namespace, step.key), None)
        else:
            model[step.namespace, step.key] = dict(step.value)

    for address in [*model, *other_addresses]:
        item = store.get(*address)
        assert (item and item.value) == model.get(address)

    def found(prefix: tuple[str, ...], **options: Any) -> list[tuple[Address, Any]]:
        [items] = store.batch([SearchOp(prefix, **{"limit": 100, **options})])
        assert isinstance(items, list)
        return sorted(((one.namespace, one.key), one.value) for one in items)  # type: ignore[union-attr]

    for prefix in {(), ("a",), *(address[0] for address in model)}:
        within = sorted((address, value) for address, value in model.items() if address[0][: len(prefix)] == prefix)
        passing = [one for one in within if one[1]["n"] == number]
        for query in (None, "text"):
            assert found(prefix, query=query) == within
            assert found(prefix, query=query, filter={"n": number}) == passing
            assert found(prefix, query=query, filter={"n": {"$ne": number}}) == [o for o in within if o not in passing]
            assert len(found(prefix, query=query, limit=limit, offset=offset)) == len(within[offset:][:limit])

    listed = sorted({address[0] for address in model})
    assert store.batch([ListNamespacesOp(limit=100)]) == [listed]
    assert store.batch([ListNamespacesOp(limit=limit, offset=offset)]) == [listed[offset:][:limit]]
    assert store.batch([ListNamespacesOp((MatchCondition("prefix", ("a",)),), limit=100)]) == [
        [one for one in listed if one[0] == "a"]
    ]
