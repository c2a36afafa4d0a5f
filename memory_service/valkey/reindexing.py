"""Gives memories the terms of the current text analysis, in place."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import structlog

from memory_service.domain.languages import load_detector
from memory_service.domain.text_analysis import stored_terms
from memory_service.domain.types import IndexInfo
from memory_service.valkey.connections import Connections
from memory_service.valkey.documents import join_tags
from memory_service.valkey.errors import CommandRefused, document_or_none
from memory_service.valkey.index_reader import read_index_state
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.lease import wait_for_lease
from memory_service.valkey.schema import TERMS_VERSION, key_prefix, metadata_key

_BATCH = 50
"""Documents in one pipeline; their contents have up to 200 kB each."""
_FIELDS = ("user_id", "content", "terms")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ReindexProgress:
    """The keys that were examined so far, and how many of their documents were changed."""

    examined: int = 0
    changed: int = 0


async def reindex_text(connections: Connections, index: IndexInfo) -> AsyncIterator[ReindexProgress]:
    """Write new terms to each memory whose terms differ, and yield the progress after each batch.

    Each document changes at once, so searches see its old or its new terms. An interrupted run can be repeated: it
    changes only what is left. At the end, the index is marked as having no terms of earlier versions.

    Raises:
        MemoryServiceError: the engine does not answer.
    """
    progress = ReindexProgress()
    async for keys in connections.scan(f"{key_prefix(index.name)}*"):
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            progress.changed += await _reindex(connections, index, batch)
            progress.examined += len(batch)
            yield progress
    async with wait_for_lease(connections, index.name) as lease:
        state = await read_index_state(connections, index.name)
        if state.metadata is not None and not state.dropping:
            lease.check()
            current = replace(state.metadata, terms_version=TERMS_VERSION)
            await connections.run(["SET", metadata_key(index.name), current.encode(), "XX"])


async def _reindex(connections: Connections, index: IndexInfo, keys: Sequence[bytes]) -> int:
    """Return the number of documents that were changed."""
    layout = layout_of(index.layout)
    names = [key.decode() for key in keys]
    replies = await connections.run_each([layout.read_row(name, _FIELDS) for name in names])
    writes = []
    for name, reply in zip(names, map(document_or_none, replies), strict=True):
        row = layout.decode_row(_FIELDS, reply)
        user, content, terms_before = (row.get(f"{layout.path}{field}".encode(), b"") for field in _FIELDS)
        if user and content:
            text = content.decode(errors="replace")
            await load_detector(text)
            terms = join_tags(stored_terms(text))
            if terms.encode() != terms_before:
                writes.append(layout.write_terms(name, terms))
    return sum(await asyncio.gather(*(_write(connections, command) for command in writes)))


async def _write(connections: Connections, command: Sequence[str | bytes]) -> bool:
    try:
        return bool(await connections.run(command))
    except CommandRefused as error:  # It was deleted meanwhile, or is a document of another kind.
        _log.debug("terms_not_written", reason=str(error))
        return False
