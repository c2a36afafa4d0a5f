"""Memories as JSON documents, in the layout of the Valkey cookbook with a few fields beside it.

    {"user_id": tag, "session_id": tag, "role": "user", "content": …, "timestamp": 1700000000.123456,
     "timestamp_us": "1700000000123456", "id": …, "embedding": [0.1, …]}

`timestamp` is in seconds, the cookbook's unit, for time filters; `timestamp_us` carries the exact time as text because
RediSearch prints numbers with 12 digits. `id` is there only for a caller's own id. Ids are tags: see tags.py.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from memory_service.engine.tags import decode_tag, encode_tag
from memory_service.memory.types import Embedding, Memory, Role

FIELDS = ("user_id", "session_id", "role", "content", "timestamp", "timestamp_us", "id")
"""The fields that make a memory: all but the embedding."""


_ROLES = {role.value: role for role in Role}


def encode_document(memory: Memory, embedding: Embedding, *, own_id: bool) -> bytes:
    """The JSON text of a memory; `own_id` when its id is the caller's and not its slot.

    Numbers are the shortest text that reads back as the same float32: half the engine's memory of Python's repr.
    """
    document: dict[str, Any] = {"user_id": encode_tag(memory.user_id)}
    if memory.session_id:
        document["session_id"] = encode_tag(memory.session_id)
    document["role"] = memory.role
    document["content"] = memory.content
    document["timestamp"] = orjson.Fragment(seconds(memory.timestamp).encode())
    document["timestamp_us"] = str(memory.timestamp)
    if own_id:
        document["id"] = memory.id
    document["embedding"] = embedding
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def decode_fields(slot: str, fields: Mapping[str, Any]) -> Memory:
    """The memory of a document's fields, as a search returns them (text) or JSON.GET does (values).

    Documents of other software may lack any of them: what is missing is empty, or zero.
    """
    role = str(fields.get("role", ""))
    return Memory(
        id=str(fields.get("id") or slot),
        user_id=decode_tag(str(fields.get("user_id", ""))),
        session_id=decode_tag(str(fields.get("session_id", ""))),
        role=_ROLES.get(role),
        content=str(fields.get("content", "")),
        timestamp=_microseconds(fields.get("timestamp_us"), fields.get("timestamp")),
    )


def decode_json_reply(slot: str, reply: bytes) -> Memory:
    """The memory of a reply to JSON.GET with the paths of FIELDS: `{"$.role": ["user"], …}`."""
    values = orjson.loads(reply)
    return decode_fields(slot, {name: values[f"$.{name}"][0] for name in FIELDS if values.get(f"$.{name}")})


def seconds(microseconds: int) -> str:
    """Seconds in plain decimals, which both engines read in documents and in filters; `1700000000.123456`."""
    sign = "-" if microseconds < 0 else ""
    whole, fraction = divmod(abs(microseconds), 1_000_000)
    return f"{sign}{whole}.{fraction:06}".rstrip("0").rstrip(".")


def _microseconds(exact: Any, in_seconds: Any) -> int:
    try:
        return int(str(exact)) if exact else int(Decimal(str(in_seconds or 0)) * 1_000_000)
    except (ValueError, InvalidOperation, OverflowError):
        return 0
