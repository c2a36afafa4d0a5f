"""How a memory lies in the engine: as a JSON document, or as a hash with a packed embedding. Same fields, same answers.

Both are written with one command that does nothing when the key is taken. The hash needs HSETEX for that, which Valkey
has since 9.0; HSET would write over what is there, and a check before it would race.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import orjson

from memory_service.domain.embeddings import pack_embedding
from memory_service.domain.types import Embedding, Layout, Memory
from memory_service.valkey.documents import FIELDS, decode_fields

Command = list[str | bytes]
Fields = Mapping[str, str]


class DocumentLayout(Protocol):
    """Writes and reads the documents of one layout."""

    path: str
    """What stands before a field's name where the engine is told of it."""

    def insert(self, key: str, fields: Fields, embedding: Embedding) -> Command:
        """Write a document unless the key is taken."""
        ...

    def inserted(self, reply: Any) -> bool:
        """Whether that wrote it."""
        ...

    def read(self, key: str) -> Command:
        """Read FIELDS of a document."""
        ...

    def decode(self, slot: str, reply: Any) -> Memory | None:
        """The memory of the reply, or None when there is no such key, or nothing of a memory in it."""
        ...

    def read_embedding(self, key: str) -> Command:
        """Read the embedding of a document."""
        ...

    def read_row(self, key: str, fields: Sequence[str]) -> Command:
        """Read these fields of a document."""
        ...

    def decode_row(self, fields: Sequence[str], reply: Any) -> dict[bytes, bytes]:
        """What a search would return of these fields: those that are there, by their paths."""
        ...

    def decode_embedding(self, reply: Any) -> Embedding | None:
        """The embedding of the reply, or None when there is no such key, or no embedding in it."""
        ...

    def probe(self, key: str) -> Command:
        """Read as much of a document as `is_memory` needs."""
        ...

    def is_memory(self, reply: Any) -> bool:
        """Whether the reply is of a memory, even a damaged one: it names a user, and has content or an embedding."""
        ...


class _Json:
    path = "$."

    def insert(self, key: str, fields: Fields, embedding: Embedding) -> Command:
        # Numbers are the shortest text that reads back as the same float32: half the memory of Python's repr.
        numbers = orjson.dumps(embedding, option=orjson.OPT_SERIALIZE_NUMPY)
        document = {name: orjson.Fragment(text) if name in _NUMBERS else text for name, text in fields.items()}
        text = orjson.dumps({**document, "embedding": orjson.Fragment(numbers)})
        return ["JSON.SET", key, "$", text, "NX"]

    def inserted(self, reply: Any) -> bool:
        return reply is not None

    def read(self, key: str) -> Command:
        return ["JSON.GET", key, *(f"$.{name}" for name in FIELDS)]

    def decode(self, slot: str, reply: Any) -> Memory | None:
        if reply is None:
            return None
        values = orjson.loads(reply)  # {"$.role": ["user"], …}
        fields = {name: values[f"$.{name}"][0] for name in FIELDS if values.get(f"$.{name}")}
        return decode_fields(slot, fields) if fields else None

    def read_row(self, key: str, fields: Sequence[str]) -> Command:
        return ["JSON.GET", key, *(f"$.{name}" for name in fields)]

    def decode_row(self, fields: Sequence[str], reply: Any) -> dict[bytes, bytes]:
        values = {} if reply is None else orjson.loads(reply)
        found = {path: values[path][0] for path in (f"$.{name}" for name in fields) if values.get(path)}
        return {
            path.encode(): (value if isinstance(value, str) else json.dumps(value)).encode()
            for path, value in found.items()
            if value is not None
        }

    def read_embedding(self, key: str) -> Command:
        return ["JSON.GET", key, "$.embedding"]

    def decode_embedding(self, reply: Any) -> Embedding | None:
        found = [] if reply is None else orjson.loads(reply)
        if not found or not isinstance(found[0], list):
            return None
        try:
            return np.array(found[0], np.float32)
        except (TypeError, ValueError):  # Other software's numbers may be texts, or nested.
            return None

    def probe(self, key: str) -> Command:
        return ["JSON.GET", key, "$.user_id", "$.content", "$.embedding[0]"]

    def is_memory(self, reply: Any) -> bool:
        found = {} if reply is None else orjson.loads(reply)
        return bool(found.get("$.user_id")) and bool(found.get("$.content") or found.get("$.embedding[0]"))


class _Hash:
    path = ""

    def insert(self, key: str, fields: Fields, embedding: Embedding) -> Command:
        pairs = [word for pair in fields.items() for word in pair]
        count = str(len(fields) + 1)
        return ["HSETEX", key, "FNX", "FIELDS", count, *pairs, "embedding", pack_embedding(embedding)]

    def inserted(self, reply: Any) -> bool:
        return bool(reply)

    def read(self, key: str) -> Command:
        return ["HMGET", key, *FIELDS]

    def decode(self, slot: str, reply: Any) -> Memory | None:
        found: Sequence[bytes | None] = reply or ()
        if not any(found):
            return None
        fields = zip(FIELDS, found, strict=True)
        return decode_fields(slot, {name: text.decode(errors="replace") for name, text in fields if text is not None})

    def read_row(self, key: str, fields: Sequence[str]) -> Command:
        return ["HMGET", key, *fields]

    def decode_row(self, fields: Sequence[str], reply: Any) -> dict[bytes, bytes]:
        found = zip(fields, reply or (), strict=False)
        return {name.encode(): value for name, value in found if value is not None}

    def read_embedding(self, key: str) -> Command:
        return ["HGET", key, "embedding"]

    def decode_embedding(self, reply: Any) -> Embedding | None:
        return None if reply is None or len(reply) % 4 else np.frombuffer(reply, "<f4")

    def probe(self, key: str) -> Command:
        return ["HMGET", key, "user_id", "content", "embedding"]

    def is_memory(self, reply: Any) -> bool:
        user, content, embedding = reply or (None, None, None)
        return user is not None and (content is not None or embedding is not None)


_NUMBERS = {"timestamp", "expires_at"}

_LAYOUTS: dict[Layout, DocumentLayout] = {Layout.JSON: _Json(), Layout.HASH: _Hash()}


def layout_of(layout: Layout) -> DocumentLayout:
    """What writes and reads documents of this layout."""
    return _LAYOUTS[layout]
