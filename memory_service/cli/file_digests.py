"""Digests of the memories of a file, to compare a file of any size with an index. A temporary database holds them."""

import json
import sqlite3
from hashlib import blake2b

from semantic_memory.v1 import memory_pb2

from memory_service.cli.archive import as_json


class FileDigests:
    """The memories of a file, and whether the index has each of them unchanged."""

    def __init__(self) -> None:
        # SQLite stores a database without a name in a temporary file and deletes it on close.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(
            "CREATE TABLE memories (id BLOB PRIMARY KEY, digest BLOB, in_index INTEGER) WITHOUT ROWID"
        )
        self._changed = False

    def close(self) -> None:
        """Delete the database."""
        self._database.close()

    def add(self, memory: memory_pb2.Memory) -> None:
        """Add a memory of the file; it replaces an earlier one with the same id."""
        self._changed |= self._row(memory) is not None
        self._put(memory, in_index=False)

    def mark_in_index(self, memory: memory_pb2.Memory) -> bool:
        """Record that the index has this memory; return whether the file has it with the same content."""
        row = self._row(memory)
        if row is None:
            return False
        self._put(memory, in_index=True)
        unchanged = row[0] == _digest(as_json(memory))
        self._changed |= not unchanged
        return bool(unchanged)

    def is_stale(self, memory: memory_pb2.Memory) -> bool:
        """Whether the index lacks this memory of the file, or has another one under its id."""
        row = self._row(memory)
        return row is not None and row != (_digest(as_json(memory)), 1)

    def any_stale(self) -> bool:
        """Whether `is_stale` is true for any memory of the file."""
        return self._changed or bool(
            self._database.execute("SELECT 1 FROM memories WHERE in_index = 0 LIMIT 1").fetchone()
        )

    def _row(self, memory: memory_pb2.Memory) -> tuple[bytes, int] | None:
        row: tuple[bytes, int] | None = self._database.execute(
            "SELECT digest, in_index FROM memories WHERE id = ?", (_id(memory),)
        ).fetchone()
        return row

    def _put(self, memory: memory_pb2.Memory, *, in_index: bool) -> None:
        self._database.execute(
            "REPLACE INTO memories VALUES (?, ?, ?)", (_id(memory), _digest(as_json(memory)), int(in_index))
        )


def _id(memory: memory_pb2.Memory) -> bytes:
    return _digest([memory.user_id, memory.id])


def _digest(value: object) -> bytes:
    # Sorted, since the keys of metadata have no order.
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).digest()
