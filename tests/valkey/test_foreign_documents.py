"""Damaged documents, and documents of other software, under our prefix never make a call fail for other memories."""

import json
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding, search
from tests.support.scale import examples
from tests.support.two_servers import outcome

EMBEDDING = [0.05] * 384
GOOD: dict[str, Any] = {"user_id": "a", "role": "user", "content": "d", "timestamp": 1, "embedding": EMBEDDING}
EVERYONE = memory_pb2.MemoryFilter(all_users=True)

DAMAGED: dict[str, dict[str, Any]] = {
    "timestamp in milliseconds": {"timestamp": 1700000000000},
    "timestamp in microseconds": {"timestamp": 1700000000000000},
    "timestamp as text": {"timestamp": "2024-01-01T00:00:00Z"},
    "timestamp above the maximum": {"timestamp": 1e300},
    "timestamp below the minimum": {"timestamp": -1e12},
    "no timestamp": {"timestamp": ...},
    "null timestamp": {"timestamp": None},
    "timestamps with null": {"timestamp": [None, 0.0]},
    "exact timestamp above the maximum": {"timestamp_us": "9" * 30},
    "exact timestamp of letters": {"timestamp_us": "now"},
    "null content": {"content": None},
    "no content": {"content": ...},
    "content as object": {"content": {"text": "hi"}},
    "content as number": {"content": 12},
    "unknown role": {"role": "human"},
    "null session": {"session_id": None},
    "no embedding": {"embedding": ...},
    "null embedding": {"embedding": None},
    "short embedding": {"embedding": [1, 2]},
    "zero embedding": {"embedding": [0] * 384},
    "embedding of texts": {"embedding": ["x"] * 384},
    "metadata as object": {"metadata": {"k": 1}},
    "invalid metadata": {"metadata": "{"},
    "labels as list": {"labels": ["q", "r"]},
    "user id with capitals": {"user_id": "Alice"},
    "no user": {"user_id": ...},
    "null user": {"user_id": None},
    "expiry of letters": {"expires_us": "soon"},
    "expiry above the maximum": {"expires_us": "9" * 30},
    "no fields": dict.fromkeys(GOOD, ...),
}


@pytest.fixture(params=[index_pb2.LAYOUT_JSON, index_pb2.LAYOUT_HASH], ids=["json", "hash"])
async def index(request: pytest.FixtureRequest, stub: Stub, new_index: Callable[[], str]) -> tuple[str, bool]:
    """An index with one valid memory, and whether its memories are hashes."""
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name, layout=request.param), timeout=TIMEOUT)
    await stub.Store(
        pb.StoreRequest(
            index=name, user_id="a", session_id="s", id="ok", role=memory_pb2.ROLE_USER, content="fine",
            embedding=np.array(EMBEDDING, "<f4").tobytes(),
        ),
        timeout=TIMEOUT,
    )  # fmt: skip
    return name, request.param == index_pb2.LAYOUT_HASH


async def write(engine: Connections, key: str, changes: dict[str, Any], *, as_hash: bool) -> None:
    document = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    if not as_hash:
        await engine.run(["JSON.SET", key, "$", json.dumps(document)])
        return
    words: list[str | bytes] = []
    for name, value in document.items():
        if name == "embedding" and isinstance(value, list) and not isinstance(value[0], str):
            words += [name, np.array(value, "<f4").tobytes()]
        elif value is not None:
            words += [name, value if isinstance(value, str) else json.dumps(value)]
    await engine.run(["HSET", key, *(words or ["other", "1"])])


async def every_call(stub: Stub, index: str) -> None:
    """Assert that every read finds the valid memory and that no call fails."""
    assert "fine" in [one.content for one in await list_all(stub, EVERYONE, index=index)]
    both = [one.content for one in await list_all(stub, EVERYONE, index=index, include_embeddings=True)]
    assert "fine" in both
    near = np.array(EMBEDDING, "<f4").tobytes()
    for options in (
        {},
        {"mode": pb.SEARCH_MODE_TEXT},
        {"mode": pb.SEARCH_MODE_HYBRID, "neighbor_weight": 0.5, "recency": pb.Recency(half_life={"seconds": 99})},
        {"diversity": 0.5},
        {"context": pb.ContextSize(before=2, after=2)},
    ):
        request = pb.SearchRequest(index=index, filter=EVERYONE, k=20, **options)
        if request.mode != pb.SEARCH_MODE_TEXT:
            request.query_embedding = near
        if request.mode in {pb.SEARCH_MODE_TEXT, pb.SEARCH_MODE_HYBRID}:
            request.query_text = "fine"
        hits, _ = await search(stub, request)
        assert "fine" in [hit.memory.content for hit in hits]
    for id_ in ("foreign", "other"):
        get = stub.Get(pb.GetRequest(index=index, all_users=True, id=id_), timeout=TIMEOUT)
        assert await outcome(get) in {"OK", "NOT_FOUND MEMORY_NOT_FOUND"}
    count = pb.DeleteMatchingRequest(index=index, filter=memory_pb2.MemoryFilter(user_id="a"), dry_run=True)
    assert (await stub.DeleteMatching(count, timeout=TIMEOUT)).count >= 1
    await stub.Delete(pb.DeleteRequest(index=index, all_users=True, ids=["foreign", "other"]), timeout=TIMEOUT)


@pytest.mark.parametrize("changes", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_document_hides_no_memory(
    stub: Stub, engine: Connections, index: tuple[str, bool], changes: dict[str, Any]
) -> None:
    name, as_hash = index
    await write(engine, f"mem_{name}:foreign", changes, as_hash=as_hash)
    await write(engine, f"mem_{name}:other", changes, as_hash=not as_hash)
    await every_call(stub, name)


@pytest.mark.parametrize("kind", ["string", "list", "set", "hash", "stream"])
async def test_drop_deletes_memories_and_keeps_keys_of_other_programs(
    stub: Stub, engine: Connections, index: tuple[str, bool], kind: str
) -> None:
    name, _ = index
    key = f"mem_{name}:session-of-another-program"
    await engine.run(
        {
            "string": ["SET", key, "x"],
            "list": ["RPUSH", key, "x"],
            "set": ["SADD", key, "x"],
            "hash": ["HSET", key, "field", "x"],
            "stream": ["XADD", key, "*", "field", "x"],
        }[kind]
    )
    await every_call(stub, name)
    answer = await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)
    assert (answer.deleted_memory_count, answer.kept_key_count) == (1, 1)
    assert await engine.run(["EXISTS", key]) == 1
    await engine.run(["DEL", key])


async def test_store_to_a_key_of_another_type_fails_with_advice(
    stub: Stub, engine: Connections, index: tuple[str, bool]
) -> None:
    name, as_hash = index
    [key] = [key.decode() async for lot in engine.scan(f"mem_{name}:*") for key in lot]
    await engine.run(["DEL", key])
    await engine.run(["JSON.SET", key, "$", "{}"] if as_hash else ["HSET", key, "a", "1"])
    item = pb.StoreRequest(
        index=name, user_id="a", id="ok", role=memory_pb2.ROLE_USER, content="fine", embedding=packed_embedding(1.0)
    )
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Store(item, timeout=TIMEOUT)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "Delete the id" in str(failed.value.details())


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    [*GOOD, "session_id", "labels", "metadata", "terms", "id", "timestamp_us", "expires_us", "expires_at"]
)


@examples(30)
@given(st.dictionaries(fields, values, max_size=6))
@example({"timestamp": [None, 0.0]})
async def test_no_document_of_any_shape_hides_a_memory(
    stub: Stub, engine: Connections, new_index: Callable[[], str], document: dict[str, Any]
) -> None:
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    good = pb.StoreRequest(
        index=name, user_id="a", role=memory_pb2.ROLE_USER, content="fine", embedding=packed_embedding(1.0)
    )
    await stub.Store(good, timeout=TIMEOUT)
    try:
        text = json.dumps({**GOOD, **document}).encode()
    except (UnicodeEncodeError, ValueError):
        return
    await engine.run_each([["JSON.SET", f"mem_{name}:foreign", "$", text]])  # RedisJSON refuses some numbers.
    await every_call(stub, name)
    answer = await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)
    assert answer.deleted_memory_count >= 1
