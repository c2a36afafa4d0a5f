"""The fields of a memory's document: the fields of the Valkey cookbook, and some more.

    {"user_id": tag, "session_id": tag, "role": "user", "content": …, "timestamp": 1700000000.123456,
     "timestamp_us": "1700000000123456", "id": …, "labels": "tag,tag", "metadata": "{…}", "expires_at": 1700003600,
     "expires_us": "1700003600000000", "terms": "tag,tag,tag", "embedding": [0.1, …]}

`timestamp` is in seconds, the cookbook's unit, for time filters. `timestamp_us` holds the exact time as text, because
RediSearch prints numbers with 12 digits. `expires_at` and `expires_us` are the same for the expiry. `terms` are what
memory_service.domain.text_analysis finds in the content. Empty fields are left out, and `id` is present only if the
caller chose it. Filterable fields are encoded as tags (tags.py). Lists of tags are joined texts, because valkey-search
does not index JSON arrays.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from memory_service.domain.types import EARLIEST, LATEST, Memory, Role
from memory_service.valkey.tags import MARKER, decode_tag, encode_tag

HEADER_FIELDS = ("user_id", "session_id", "role", "labels", "timestamp", "timestamp_us", "expires_us", "id")
"""The header fields: user, session, role, labels, times and id."""

MEMORY_FIELDS = (*HEADER_FIELDS, "content", "metadata")
"""All fields of a memory except the embedding and the stems."""

SEPARATOR = ","

_ROLES = {role.value: role for role in Role}


def encode_fields(memory: Memory, terms: Sequence[str], *, own_id: bool) -> dict[str, str]:
    """Return the fields of a memory except the embedding. `own_id`: the caller chose the id."""
    fields = {"user_id": encode_tag(memory.user_id)}
    if memory.session_id:
        fields["session_id"] = encode_tag(memory.session_id)
    if memory.role is not None:
        fields["role"] = memory.role.value
    fields["content"] = memory.content
    fields["timestamp"] = seconds(memory.timestamp)
    fields["timestamp_us"] = str(memory.timestamp)
    if own_id:
        fields["id"] = memory.id
    if memory.labels:
        fields["labels"] = join_tags(memory.labels)
    if memory.metadata:
        fields["metadata"] = orjson.dumps(dict(memory.metadata)).decode()
    if memory.expires_at is not None:
        fields["expires_at"] = seconds(memory.expires_at)
        fields["expires_us"] = str(memory.expires_at)
    if terms:
        fields["terms"] = join_tags(terms)
    return fields


def decode_fields(storage_id: str, fields: Mapping[str, Any]) -> Memory:
    """Return the memory with these fields, which are texts from a search or a hash, or values from JSON.GET.

    Documents of other software may lack fields or have values of any type. A missing or null field becomes empty or
    zero, a value that is not text becomes JSON, and a time outside the contract's range becomes the nearest valid one.
    """
    return Memory(
        id=_text(fields.get("id")) or storage_id,
        user_id=decode_tag(_text(fields.get("user_id"))),
        session_id=decode_tag(_text(fields.get("session_id"))),
        role=_ROLES.get(_text(fields.get("role"))),
        content=_text(fields.get("content")),
        timestamp=_microseconds(fields.get("timestamp_us"), fields.get("timestamp")) or 0,
        labels=decode_tags(fields.get("labels")),
        metadata=_metadata(fields.get("metadata")),
        expires_at=_microseconds(fields.get("expires_us"), None),
    )


def join_tags(values: Iterable[str]) -> str:
    """Return the field of a list of tags."""
    return SEPARATOR.join(map(encode_tag, values))


def decode_tags(joined: Any) -> tuple[str, ...]:
    """Return the values of a list of tags."""
    if not isinstance(joined, str) or not joined:
        return ()
    tags = joined.split(SEPARATOR)
    return tuple(map(decode_tag, tags)) if MARKER in joined else tuple(tags)


def seconds(microseconds: int) -> str:
    """Return seconds as a plain decimal such as `1700000000.123456`, which both engines accept."""
    sign = "-" if microseconds < 0 else ""
    whole, fraction = divmod(abs(microseconds), 1_000_000)
    return f"{sign}{whole}.{fraction:06}".rstrip("0").rstrip(".")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _metadata(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return {key: _text(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _microseconds(exact: Any, in_seconds: Any) -> int | None:
    """Return a time in the contract's range, from its exact text or else from seconds; None if neither is a number."""
    for value, unit in ((exact, 1), (in_seconds, 1_000_000)):
        try:
            number = Decimal(str(value)) * unit
            if number.is_finite():
                return EARLIEST if number < EARLIEST else LATEST if number > LATEST else int(number)
        except ArithmeticError:
            continue
    return None
