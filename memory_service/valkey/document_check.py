"""Finds what lies under the prefix of an index and is no whole memory: other software's documents, damaged ones."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from memory_service.domain.types import IndexInfo
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused, says_wrong_type
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.schema import key_prefix

_LOT = 50
_NEEDED = ("user_id", "content", "timestamp")


@dataclass(frozen=True, slots=True)
class Document:
    """A key and what is wrong with it; empty when nothing is."""

    key: str
    flaw: str


async def documents(connections: Connections, index: IndexInfo) -> AsyncIterator[Document]:
    """What lies under the prefix of an index, key by key, for a walk that the caller ends when it has seen enough.

    Raises as `Connections.run` does.
    """
    layout = layout_of(index.layout)
    async for keys in connections.scan(f"{key_prefix(index.name)}*"):
        for start in range(0, len(keys), _LOT):
            lot = [key.decode() for key in keys[start : start + _LOT]]
            rows = await connections.run_each([layout.read_row(key, _NEEDED) for key in lot])
            vectors = await connections.run_each([layout.read_embedding(key) for key in lot])
            for key, row, vector in zip(lot, rows, vectors, strict=True):
                yield Document(key, _flaw(index, row, vector))


def _flaw(index: IndexInfo, row: Any, vector: Any) -> str:
    if isinstance(row, CommandRefused) and says_wrong_type(row):
        return f"is no {index.layout} document"
    if isinstance(row, CommandRefused):
        raise row
    layout = layout_of(index.layout)
    fields = layout.decode_row(_NEEDED, row)
    if missing := [name for name in _NEEDED if layout.path.encode() + name.encode() not in fields]:
        return f"has no {', '.join(missing)}"
    seconds = fields[layout.path.encode() + b"timestamp"]
    if not _in_contract(seconds):
        return f"has the timestamp {seconds[:40].decode(errors='replace')}, which is no time in seconds"
    embedding = layout.decode_embedding(vector)
    if embedding is None or embedding.shape != (index.dimension,):
        return f"has no embedding of {index.dimension} numbers"
    if not np.isfinite(embedding).all() or not embedding.any():
        return "has an embedding that is zero or not finite"
    return ""


def _in_contract(seconds: bytes) -> bool:
    try:
        return -62_135_596_800 <= float(seconds) < 253_402_300_800
    except ValueError:
        return False
