"""Whether the default index is there, whole, and of the model that the embedder has."""

from memory_service.doctor.finding import Finding, State
from memory_service.domain.errors import MemoryServiceError
from memory_service.domain.types import IndexInfo
from memory_service.valkey import Connections, ValkeyIndexes, server_info
from memory_service.valkey.document_check import check_documents
from memory_service.valkey.schema import OLDEST_SCHEMA, IndexMetadata

_MOST_DOCUMENTS = 5000
_MOST_NAMED = 5


async def index(name: str, connections: Connections, model: str, dimension: int) -> Finding:
    """The index of this name, for an embedder of this model; an empty one is not compared."""
    try:
        info = await ValkeyIndexes(connections).describe(name)
        kept = await server_info.metadata(connections, name)
    except MemoryServiceError as error:
        return Finding("index", State.WRONG, f"{name}: {error.message}")
    if info is None:
        return Finding("index", State.RISK, f"there is no index {name} yet", "memory-service ensure-index makes it")
    if (wrong := _mismatch(info, kept, model, dimension)) is not None:
        return wrong
    if not info.ready:
        return Finding("index", State.RISK, f"{name} is being built: answers are not whole yet", "wait")
    if info.indexing_failures:
        told = f"{name}: {info.indexing_failures} documents could not be indexed and are not found"
        return Finding("index", State.RISK, told, "look for keys that other software wrote with other dimensions")
    told = f"{name}: {info.memory_count:,} memories, {info.dimension} dimensions of {info.embedding_model}"
    return Finding("index", State.GOOD, told)


async def damage(name: str, connections: Connections) -> Finding | None:
    """Documents under the prefix of the index that are no whole memories; None when there is no index."""
    checked, flawed = 0, []
    try:
        info = await ValkeyIndexes(connections).describe(name)
        if info is None:
            return None
        async for one in check_documents(connections, info):
            checked += 1
            if one.flaw:
                flawed.append(one)
            if checked == _MOST_DOCUMENTS:
                break
    except MemoryServiceError as error:
        return Finding("documents", State.UNKNOWN, error.message)
    if not flawed:
        return Finding("documents", State.GOOD, f"{name}: {checked:,} documents looked at, all whole")
    named = "; ".join(f"{one.key} {one.flaw}" for one in flawed[:_MOST_NAMED])
    return Finding(
        "documents",
        State.RISK,
        f"{name}: {len(flawed):,} of {checked:,} documents looked at are no whole memories: {named}",
        "calls skip them or show what can be read of them; repair or delete the keys, or move the other program's",
    )


def _mismatch(info: IndexInfo, kept: IndexMetadata | None, model: str, dimension: int) -> Finding | None:
    if kept is None and info.text_parts:
        told = f"the record of {info.name} is gone, as when Valkey evicts keys"
        advice = "memory-service ensure-index with the model of its embeddings restores it; maxmemory-policy noeviction"
    elif kept is None:
        told, advice = f"{info.name} was created by other software", "memory-service ensure-index adopts it"
    elif model and (info.embedding_model, info.dimension) != (model, dimension):
        held = f"{info.dimension} dimensions of {info.embedding_model}"
        told = f"{info.name} holds {held}, the embedder makes {dimension} of {model}"
        advice = "set MEMORY_EMBEDDER to the index's model, or MEMORY_INDEX to another index"
    elif kept.schema_version < OLDEST_SCHEMA or not info.text_parts:
        told = f"{info.name} was made by an earlier version: it has no fields for labels and words"
        advice = "memory-service drop-index, which keeps the memories, and ensure-index"
    else:
        return None
    return Finding("index", State.WRONG, told, advice)
