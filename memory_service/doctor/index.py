"""Checks of the default index: that it exists, is ready, and has the model of the embedder."""

from memory_service.doctor.finding import Finding, State
from memory_service.domain.errors import MemoryServiceError
from memory_service.domain.types import IndexInfo
from memory_service.valkey import Connections, ValkeyIndexes, document_check, server_info
from memory_service.valkey.schema import OLDEST_SCHEMA, IndexMetadata

_MAX_DOCUMENTS = 5000
_MAX_NAMED = 5


async def check_index(name: str, connections: Connections, model: str, dimension: int) -> Finding:
    """Check the index against the model of the embedder; an empty model is not compared."""
    try:
        info = await ValkeyIndexes(connections).describe(name)
        metadata = await server_info.metadata(connections, name)
    except MemoryServiceError as error:
        return Finding("index", State.WRONG, f"{name}: {error.message}")
    if info is None:
        return Finding("index", State.RISK, f"there is no index {name}", "create it with memory-service ensure-index")
    if (mismatch := _mismatch(info, metadata, model, dimension)) is not None:
        return mismatch
    if not info.ready:
        return Finding("index", State.RISK, f"{name} is building: results are incomplete until it is ready", "wait")
    if info.indexing_failures:
        summary = f"{name}: Valkey could not index {info.indexing_failures} documents, so searches miss them"
        return Finding("index", State.RISK, summary, "look for keys of other software with another dimension")
    summary = f"{name}: {info.memory_count:,} memories, {info.dimension} dimensions of {info.embedding_model}"
    return Finding("index", State.GOOD, summary)


async def check_documents(name: str, connections: Connections) -> Finding | None:
    """Check the documents under the prefix of the index for damaged memories; return None if there is no index."""
    checked, flawed = 0, []
    try:
        info = await ValkeyIndexes(connections).describe(name)
        if info is None:
            return None
        async for document in document_check.check_documents(connections, info):
            checked += 1
            if document.flaw:
                flawed.append(document)
            if checked == _MAX_DOCUMENTS:
                break
    except MemoryServiceError as error:
        return Finding("documents", State.UNKNOWN, error.message)
    if not flawed:
        return Finding("documents", State.GOOD, f"{name}: {checked:,} documents checked, all valid")
    examples = "; ".join(f"{document.key} {document.flaw}" for document in flawed[:_MAX_NAMED])
    return Finding(
        "documents",
        State.RISK,
        f"{name}: {len(flawed):,} of {checked:,} checked documents are not valid memories: {examples}",
        "calls skip them or return what is valid: repair, delete or, if another program owns them, move these keys",
    )


def _mismatch(info: IndexInfo, metadata: IndexMetadata | None, model: str, dimension: int) -> Finding | None:
    if metadata is None and info.text_parts:
        summary = f"the metadata of {info.name} is missing, as after an eviction"
        advice = "restore it with memory-service ensure-index --model …, and set maxmemory-policy noeviction"
    elif metadata is None:
        summary, advice = f"other software created {info.name}", "adopt it with memory-service ensure-index"
    elif model and (info.embedding_model, info.dimension) != (model, dimension):
        index_model = f"{info.dimension} dimensions of {info.embedding_model}"
        summary = f"{info.name} has {index_model}; the embedder computes {dimension} of {model}"
        advice = "set MEMORY_EMBEDDER to the index's model, or MEMORY_INDEX to another index"
    elif metadata.schema_version < OLDEST_SCHEMA or not info.text_parts:
        summary = f"an earlier version created {info.name}: it has no fields for labels and words"
        advice = "run memory-service drop-index, which keeps the memories, then ensure-index"
    else:
        return None
    return Finding("index", State.WRONG, summary, advice)
