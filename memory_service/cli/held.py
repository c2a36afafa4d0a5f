"""Which memories a file holds: digests in a temporary database on disk, so that a file of any size can be compared with
an index."""

import json
import sqlite3
from hashlib import blake2b

from semantic_memory.v1 import memory_pb2

from memory_service.cli.archive import as_json


class Held:
    """The memories of a file, each with whether the index still has it unchanged."""

    def __init__(self) -> None:
        # SQLite keeps a database without a name in a file of its own, which goes when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE held (id BLOB PRIMARY KEY, memory BLOB, there INTEGER) WITHOUT ROWID")
        self._changed = False

    def close(self) -> None:
        """Forget them."""
        self._database.close()

    def add(self, memory: memory_pb2.Memory) -> None:
        """The file has this memory; of two with the same id the later one counts."""
        self._changed |= self._row(memory) is not None
        self._put(memory, there=False)

    def see(self, memory: memory_pb2.Memory) -> bool:
        """The index has this memory. Returns whether the file has it too, with the same content."""
        row = self._row(memory)
        if row is None:
            return False
        self._put(memory, there=True)
        unchanged = row[0] == _digest(as_json(memory))
        self._changed |= not unchanged
        return bool(unchanged)

    def is_stale(self, memory: memory_pb2.Memory) -> bool:
        """Tell whether the index no longer has this memory of the file, or has another one under its id."""
        row = self._row(memory)
        return row is not None and row != (_digest(as_json(memory)), 1)

    def any_stale(self) -> bool:
        """Tell whether `is_stale` is true of any memory of the file."""
        return self._changed or bool(self._database.execute("SELECT 1 FROM held WHERE there = 0 LIMIT 1").fetchone())

    def _row(self, memory: memory_pb2.Memory) -> tuple[bytes, int] | None:
        found: tuple[bytes, int] | None = self._database.execute(
            "SELECT memory, there FROM held WHERE id = ?", (_id(memory),)
        ).fetchone()
        return found

    def _put(self, memory: memory_pb2.Memory, *, there: bool) -> None:
        self._database.execute(
            "REPLACE INTO held VALUES (?, ?, ?)", (_id(memory), _digest(as_json(memory)), int(there))
        )


def _id(memory: memory_pb2.Memory) -> bytes:
    return _digest([memory.user_id, memory.id])


def _digest(value: object) -> bytes:
    # Sorted: the keys of metadata come in any order.
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).digest()
