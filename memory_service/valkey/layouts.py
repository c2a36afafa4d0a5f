"""The document layouts: a JSON document, or a hash with a packed embedding. Both have the same fields.

Each is written with one command that does nothing if the key exists. For a hash, that is HSETEX, available since Valkey
9.0. HSET would overwrite the key, and a check before it would be a race.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import orjson

from memory_service.domain.embeddings import pack_embedding
from memory_service.domain.types import Embedding, Layout, Memory
from memory_service.valkey.documents import MEMORY_FIELDS, decode_fields

Command = list[str | bytes]
Fields = Mapping[str, str]


class DocumentLayout(Protocol):
    """Builds commands for the documents of one layout, and parses their replies."""

    path: str
    """The prefix of a field's name in commands to the engine."""

    def insert(self, key: str, fields: Fields, embedding: Embedding) -> Command:
        """Write a document unless the key exists."""
        ...

    def was_inserted(self, reply: Any) -> bool:
        """Return whether the insert wrote the document."""
        ...

    def write_terms(self, key: str, terms: str) -> Command:
        """Replace the terms of a document. The engine refuses the command, or returns 0, if the key does not exist."""
        ...

    def read(self, key: str) -> Command:
        """Read MEMORY_FIELDS of a document."""
        ...

    def decode(self, storage_id: str, reply: Any) -> Memory | None:
        """Return the memory, or None if the key does not exist or has no field of a memory."""
        ...

    def read_embedding(self, key: str) -> Command:
        """Read the embedding of a document."""
        ...

    def read_row(self, key: str, fields: Sequence[str]) -> Command:
        """Read these fields of a document."""
        ...

    def decode_row(self, fields: Sequence[str], reply: Any) -> dict[bytes, bytes]:
        """Return the fields that exist, by path, as a search returns them."""
        ...

    def decode_embedding(self, reply: Any) -> Embedding | None:
        """Return the embedding, or None if the key does not exist or has none."""
        ...

    def probe(self, key: str) -> Command:
        """Read the fields that `is_memory` needs."""
        ...

    def is_memory(self, reply: Any) -> bool:
        """Return whether the key is a memory, even a damaged one: it has a user, and content or an embedding."""
        ...


class _Json:
    path = "$."

    def insert(self, key: str, fields: Fields, embedding: Embedding) -> Command:
        # orjson writes the shortest text that parses to the same float32: half the size of Python's repr.
        numbers = orjson.dumps(embedding, option=orjson.OPT_SERIALIZE_NUMPY)
        document = {name: orjson.Fragment(text) if name in _NUMBERS else text for name, text in fields.items()}
        text = orjson.dumps({**document, "embedding": orjson.Fragment(numbers)})
        return ["JSON.SET", key, "$", text, "NX"]

    def was_inserted(self, reply: Any) -> bool:
        return reply is not None

    def write_terms(self, key: str, terms: str) -> Command:
        return ["JSON.SET", key, "$.terms", orjson.dumps(terms)]

    def read(self, key: str) -> Command:
        return ["JSON.GET", key, *(f"$.{name}" for name in MEMORY_FIELDS)]

    def decode(self, storage_id: str, reply: Any) -> Memory | None:
        if reply is None:
            return None
        values = orjson.loads(reply)  # {"$.role": ["user"], …}
        fields = {name: values[f"$.{name}"][0] for name in MEMORY_FIELDS if values.get(f"$.{name}")}
        return decode_fields(storage_id, fields) if fields else None

    def read_row(self, key: str, fields: Sequence[str]) -> Command:
        return ["JSON.GET", key, *(f"$.{name}" for name in fields)]

    def decode_row(self, fields: Sequence[str], reply: Any) -> dict[bytes, bytes]:
        values = {} if reply is None else orjson.loads(reply)
        existing = {path: values[path][0] for path in (f"$.{name}" for name in fields) if values.get(path)}
        return {
            path.encode(): (value if isinstance(value, str) else json.dumps(value)).encode()
            for path, value in existing.items()
            if value is not None
        }

    def read_embedding(self, key: str) -> Command:
        return ["JSON.GET", key, "$.embedding"]

    def decode_embedding(self, reply: Any) -> Embedding | None:
        values = [] if reply is None else orjson.loads(reply)
        if not values or not isinstance(values[0], list):
            return None
        try:
            return np.array(values[0], np.float32)
        except (TypeError, ValueError):  # Other software may have stored texts or nested lists.
            return None

    def probe(self, key: str) -> Command:
        return ["JSON.GET", key, "$.user_id", "$.content", "$.embedding[0]"]

    def is_memory(self, reply: Any) -> bool:
        values = {} if reply is None else orjson.loads(reply)
        return bool(values.get("$.user_id")) and bool(values.get("$.content") or values.get("$.embedding[0]"))


class _Hash:
    path = ""

    def insert(self, key: str, fields: Fields, embedding: Embedding) -> Command:
        pairs = [word for pair in fields.items() for word in pair]
        count = str(len(fields) + 1)
        return ["HSETEX", key, "FNX", "FIELDS", count, *pairs, "embedding", pack_embedding(embedding)]

    def was_inserted(self, reply: Any) -> bool:
        return bool(reply)

    def write_terms(self, key: str, terms: str) -> Command:
        return ["HSETEX", key, "FXX", "FIELDS", "1", "terms", terms]

    def read(self, key: str) -> Command:
        return ["HMGET", key, *MEMORY_FIELDS]

    def decode(self, storage_id: str, reply: Any) -> Memory | None:
        values: Sequence[bytes | None] = reply or ()
        if not any(values):
            return None
        fields = zip(MEMORY_FIELDS, values, strict=True)
        return decode_fields(
            storage_id, {name: text.decode(errors="replace") for name, text in fields if text is not None}
        )

    def read_row(self, key: str, fields: Sequence[str]) -> Command:
        return ["HMGET", key, *fields]

    def decode_row(self, fields: Sequence[str], reply: Any) -> dict[bytes, bytes]:
        pairs = zip(fields, reply or (), strict=False)
        return {name.encode(): value for name, value in pairs if value is not None}

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
    """Return the codec of this layout."""
    return _LAYOUTS[layout]
