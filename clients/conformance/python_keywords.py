"""The fields of a request as the keyword arguments that a Python program would write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory import unpack

POSITIONAL = {
    "Store": "content",
    "BatchStore": "memories",
    "Search": "query_text",
    "Get": "id",
    "Delete": "ids",
    "EnsureIndex": "index",
    "GetIndex": "index",
    "DropIndex": "index",
}


def arguments(rpc: str, request: Message) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the keyword arguments of a call."""
    fields = _fields(request)
    fields |= fields.pop("filter", {})
    first = POSITIONAL.get(rpc)
    return [fields.pop(first)] if first in fields else [], fields


def _fields(message: Message) -> dict[str, Any]:
    return {field.name: _value(field, value) for field, value in message.ListFields()}


def _value(field: Any, value: Any) -> Any:
    """Return a value as Python's own type."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str | bytes | Message) or not hasattr(value, "extend"):
        return _single(field, value)
    return [_single(field, one) for one in value]


def _single(field: Any, value: Any) -> Any:
    if isinstance(value, Timestamp | Duration):
        if value.nanos % 1000:  # Python's types have microseconds.
            return value
        return value.ToDatetime(UTC) if isinstance(value, Timestamp) else value.ToTimedelta()
    if isinstance(value, Message):
        return _fields(value)
    if field.enum_type is not None:
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return field.enum_type.values_by_number[value].name.removeprefix(prefix).lower()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return unpack(value)
    return value
