"""Memories with the terms of an earlier version, which get new terms in place while servers use them."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.earlier_text_analysis import terms as earlier_terms
from memory_service.domain.types import IndexInfo, Memory, Role, now
from memory_service.valkey import Connections, ValkeyIndexes, ValkeyMemories
from memory_service.valkey.reindexing import ReindexProgress, reindex_text
from memory_service.valkey.schema import IndexMetadata, key_prefix, metadata_key
from tests.support.api import TIMEOUT, Stub, search

pytestmark = pytest.mark.both_layouts

TEXTS = {
    "es": "Los perros corrían por la playa con sus dueños",
    "hi": "मैंने कल बाज़ार से किताबें ख़रीदीं",
    "ru": "Мы купили новые книги в магазине",
    "zh": "我昨天养了一只猫",
    "en": "We deployed the billing service on Friday",
}
BEFORE = {"es": "corrían", "ru": "книги", "zh": "昨天", "en": "deploying"}
"""Queries that find a memory by the terms of the earlier version."""
AFTER = {**BEFORE, "es": "perro", "hi": "किताब", "ru": "книга", "zh": "猫"}


@pytest.fixture
async def earlier(stub: Stub, engine: Connections, new_index: Callable[[], str]) -> IndexInfo:
    """An index of an earlier version: its memories have only the terms of that version."""
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    record = IndexMetadata.decode(await engine.run(["GET", metadata_key(name)]))
    await engine.run(["SET", metadata_key(name), replace(record, terms_version=1).encode()])
    info = await ValkeyIndexes(engine).describe(name)
    assert info is not None
    embedding = np.ones(info.dimension, np.float32) / np.sqrt(info.dimension)
    for id_, text in TEXTS.items():
        memory = Memory(id_, "alice", "s", Role.USER, text, now())
        assert await ValkeyMemories(engine).insert(info, id_, memory, embedding, earlier_terms(text))
    return info


async def found(stub: Stub, index: str, query: str) -> list[str]:
    request = pb.SearchRequest(
        index=index, query_text=query, mode=pb.SEARCH_MODE_TEXT, filter=memory_pb2.MemoryFilter(user_id="alice")
    )
    hits, _ = await search(stub, request)
    return [hit.memory.content for hit in hits]


async def run_to_end(engine: Connections, index: IndexInfo) -> ReindexProgress:
    return [progress async for progress in reindex_text(engine, index)][-1]


async def test_memories_of_an_earlier_version_are_found_before_and_after(
    stub: Stub, engine: Connections, earlier: IndexInfo
) -> None:
    for id_, query in BEFORE.items():
        assert await found(stub, earlier.name, query) == [TEXTS[id_]]
    assert await found(stub, earlier.name, AFTER["zh"]) == [], "only pairs of characters"
    progress = await run_to_end(engine, earlier)
    assert (progress.examined, progress.changed) == (len(TEXTS), len(TEXTS) - 1), "English has the same terms"
    for id_, query in AFTER.items():
        assert await found(stub, earlier.name, query) == [TEXTS[id_]]
    after = await ValkeyIndexes(engine).describe(earlier.name)
    assert after is not None
    assert (earlier.has_earlier_terms, after.has_earlier_terms) == (True, False)
    assert (await run_to_end(engine, earlier)).changed == 0


async def test_an_interrupted_run_leaves_each_memory_findable_and_can_be_repeated(
    stub: Stub, engine: Connections, earlier: IndexInfo
) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.005):
            await run_to_end(engine, earlier)
    for id_, query in BEFORE.items():
        assert await found(stub, earlier.name, query) == [TEXTS[id_]]
    await run_to_end(engine, earlier)
    for id_, query in AFTER.items():
        assert await found(stub, earlier.name, query) == [TEXTS[id_]]


async def test_a_deleted_memory_does_not_come_back_and_its_ttl_stays(
    stub: Stub, engine: Connections, earlier: IndexInfo
) -> None:
    await engine.run(["PEXPIRE", f"{key_prefix(earlier.name)}ru", "600000"])
    deleting = stub.Delete(pb.DeleteRequest(index=earlier.name, user_id="alice", ids=["hi", "zh"]), timeout=TIMEOUT)
    await run_to_end(engine, earlier)
    await deleting
    await run_to_end(engine, earlier)
    keys = {key.decode() async for keys in engine.scan(f"{key_prefix(earlier.name)}*") for key in keys}
    assert keys == {f"{key_prefix(earlier.name)}{id_}" for id_ in ("es", "ru", "en")}
    assert 0 < int(await engine.run(["PTTL", f"{key_prefix(earlier.name)}ru"])) <= 600_000


async def test_a_new_index_has_no_earlier_terms_unless_memories_were_left(
    stub: Stub, engine: Connections, new_index: Callable[[], str]
) -> None:
    name = new_index()
    for delete_memories, has_earlier_terms in ((True, False), (False, False), (True, True)):
        await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
        info = await ValkeyIndexes(engine).describe(name)
        assert info is not None
        assert info.has_earlier_terms == has_earlier_terms
        request = pb.DropIndexRequest(index=name, delete_memories=delete_memories)
        await stub.DropIndex(request, timeout=TIMEOUT)
