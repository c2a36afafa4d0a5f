"""Documents as JSON and as hashes: exact contents, memory use, and which layout an index has."""

import asyncio
import uuid
from dataclasses import replace

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.types import Algorithm, Embedding, IndexInfo, Layout, Memory, Role
from memory_service.settings import Settings
from memory_service.valkey import Connections, ValkeyMemories
from memory_service.valkey.documents import encode_fields
from memory_service.valkey.layouts import layout_of
from tests.support.api import TIMEOUT, Stub, packed_embedding, search
from tests.support.credentials import server_with_auth, stub_with_credential
from tests.support.indexes import NewIndex, differences, ensure_request
from tests.unit.test_documents import memories as any_memories
from tests.unit.test_documents import names

LAYOUTS = {Layout.JSON: index_pb2.LAYOUT_JSON, Layout.HASH: index_pb2.LAYOUT_HASH}
both = pytest.mark.parametrize("layout", Layout)
embeddings = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3).map(lambda one: np.array(one, np.float32))


def keys_of(layout: Layout) -> IndexInfo:
    """Return an index of this layout, with just what is needed to write and read keys."""
    return IndexInfo("test_layouts", 3, "mine", frozenset(Algorithm), True, 0, 0, layout=layout)


@both
@given(any_memories, st.lists(names, max_size=4), embeddings)
async def test_a_memory_reads_back_bit_for_bit(
    engine: Connections, layout: Layout, memory: Memory, stems: list[str], embedding: Embedding
) -> None:
    store, index, slot = ValkeyMemories(engine), keys_of(layout), uuid.uuid4().hex
    memory = replace(memory, expires_at=None)  # The engine would remove an expired memory immediately.
    assert await store.insert(index, slot, memory, embedding, stems)
    try:
        assert await store.read(index, [slot]) == [memory]
        [found] = await store.embeddings(index, [slot])
        assert found is not None
        assert found.tobytes() == embedding.tobytes()
    finally:
        await store.delete(index, [slot])


@both
async def test_concurrent_inserts_write_a_storage_id_once(engine: Connections, layout: Layout) -> None:
    store, index, slot = ValkeyMemories(engine), keys_of(layout), uuid.uuid4().hex
    tried = [Memory("i", "u", "", Role.USER, f"content {number}", number) for number in range(10)]
    written = await asyncio.gather(*(store.insert(index, slot, one, np.ones(3, np.float32), []) for one in tried))
    assert written.count(True) == 1
    assert await store.read(index, [slot]) == [tried[written.index(True)]]
    assert await store.delete(index, [slot]) == [True]


@both
async def test_a_missing_memory_reads_as_none(engine: Connections, layout: Layout) -> None:
    store, index = ValkeyMemories(engine), keys_of(layout)
    assert await store.read(index, ["none"]) == [None]
    assert await store.embeddings(index, ["none"]) == [None]


def test_numbers_of_a_json_document_are_the_shortest_float32_text() -> None:
    fields = encode_fields(Memory("i", "u", "", Role.USER, "c", 0), [], own_id=False)
    text = layout_of(Layout.JSON).insert("key", fields, np.array([0.1, -1 / 3], np.float32))[3]
    assert isinstance(text, bytes)
    assert b"[0.1,-0.33333334]" in text


async def test_a_hash_takes_a_third_of_the_memory_of_a_json_document(engine: Connections) -> None:
    numbers = np.random.default_rng(1).normal(size=1536).astype(np.float32)
    taken = {}
    for layout in Layout:
        fields = encode_fields(Memory("i", "u", "s", Role.USER, "a message of some words", 1), ["messag"], own_id=False)
        key = f"test_layouts:{uuid.uuid4().hex}"
        await engine.run(layout_of(layout).insert(key, fields, numbers))
        # All fields: from the five that Valkey samples by default it takes the embedding for none or for half of them.
        taken[layout] = await engine.run(["MEMORY", "USAGE", key, "SAMPLES", "0"])
        await engine.run(["DEL", key])
    assert taken[Layout.HASH] * 3 <= taken[Layout.JSON]


async def test_an_index_keeps_its_layout_and_refuses_another(stub: Stub, new_index: NewIndex) -> None:
    name = new_index()
    made = await stub.EnsureIndex(ensure_request(name, layout=index_pb2.LAYOUT_HASH), timeout=TIMEOUT)
    assert made.index.layout == index_pb2.LAYOUT_HASH
    again = await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    assert again.index == made.index
    assert await differences(stub, ensure_request(name, layout=index_pb2.LAYOUT_JSON)) == {"layout"}


@both
async def test_recreating_an_index_keeps_the_layout_of_its_memories(
    stub: Stub, new_index: NewIndex, user: str, layout: Layout
) -> None:
    name, other = new_index(), next(LAYOUTS[one] for one in Layout if one is not layout)
    await stub.EnsureIndex(ensure_request(name, layout=LAYOUTS[layout]), timeout=TIMEOUT)
    request = pb.StoreRequest(
        index=name,
        user_id=user,
        role=memory_pb2.ROLE_USER,
        content="kept",
        embedding=packed_embedding(1.0, dimension=3),
    )
    await stub.Store(request, timeout=TIMEOUT)
    await stub.DropIndex(pb.DropIndexRequest(index=name), timeout=TIMEOUT)
    assert await differences(stub, ensure_request(name, layout=other)) == {"layout"}, "its memories could not be found"
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    wanted = pb.SearchRequest(
        index=name, query_embedding=packed_embedding(1.0, dimension=3), filter=memory_pb2.MemoryFilter(user_id=user)
    )
    hits, _ = await search(stub, wanted)
    assert [hit.memory.content for hit in hits] == ["kept"]
    await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)
    made = await stub.EnsureIndex(ensure_request(name, layout=other), timeout=TIMEOUT)
    assert made.index.layout == other, "without memories, any layout is possible"


async def test_conflicting_layouts_do_not_both_succeed(stub: Stub, new_index: NewIndex) -> None:
    name = new_index()
    requests = [ensure_request(name, layout=one) for one in LAYOUTS.values()]
    answers = await asyncio.gather(
        *(stub.EnsureIndex(one, timeout=TIMEOUT) for one in requests), return_exceptions=True
    )
    assert sum(isinstance(one, grpc.aio.AioRpcError) for one in answers) == 1


@both
async def test_new_indexes_have_the_configured_layout(settings: Settings, new_index: NewIndex, layout: Layout) -> None:
    async with (
        server_with_auth(settings, layout=layout.lower(), index=new_index()) as server,
        stub_with_credential(server) as stub,
    ):
        made = await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    assert made.index.layout == LAYOUTS[layout]


@pytest.mark.both_layouts
async def test_the_fixtures_are_of_one_layout(stub: Stub, settings: Settings, index_layout: str) -> None:
    described = await stub.GetIndex(pb.GetIndexRequest(index=settings.index), timeout=TIMEOUT)
    assert described.index.layout == LAYOUTS[Layout(index_layout.upper())]
