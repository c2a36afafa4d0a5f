"""Finds keys under the prefix of an index that are not complete memories: foreign and damaged documents."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from memory_service.domain.types import IndexInfo
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused, is_wrong_type
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.schema import key_prefix

_BATCH = 50
_REQUIRED = ("user_id", "content", "timestamp")


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """A key and its flaw; the flaw is empty for a complete memory."""

    key: str
    flaw: str


async def check_documents(connections: Connections, index: IndexInfo) -> AsyncIterator[CheckedDocument]:
    """Check the keys under the prefix of an index one by one. The caller may stop at any time.

    Raises the errors of `Connections.run`.
    """
    layout = layout_of(index.layout)
    async for keys in connections.scan(f"{key_prefix(index.name)}*"):
        for start in range(0, len(keys), _BATCH):
            batch = [key.decode() for key in keys[start : start + _BATCH]]
            rows = await connections.run_each([layout.read_row(key, _REQUIRED) for key in batch])
            vectors = await connections.run_each([layout.read_embedding(key) for key in batch])
            for key, row, vector in zip(batch, rows, vectors, strict=True):
                yield CheckedDocument(key, _flaw(index, row, vector))


def _flaw(index: IndexInfo, row: Any, vector: Any) -> str:
    if isinstance(row, CommandRefused) and is_wrong_type(row):
        return f"is not a {index.layout} document"
    if isinstance(row, CommandRefused):
        raise row
    layout = layout_of(index.layout)
    fields = layout.decode_row(_REQUIRED, row)
    if missing := [name for name in _REQUIRED if layout.path.encode() + name.encode() not in fields]:
        return f"has no {', '.join(missing)}"
    seconds = fields[layout.path.encode() + b"timestamp"]
    if not _is_supported_time(seconds):
        return f"has the timestamp {seconds[:40].decode(errors='replace')}, which is not a time in seconds"
    embedding = layout.decode_embedding(vector)
    if embedding is None or embedding.shape != (index.dimension,):
        return f"has no embedding of {index.dimension} dimensions"
    if not np.isfinite(embedding).all() or not embedding.any():
        return "has an embedding that is zero or not finite"
    return ""


def _is_supported_time(seconds: bytes) -> bool:
    try:
        return -62_135_596_800 <= float(seconds) < 253_402_300_800
    except ValueError:
        return False
