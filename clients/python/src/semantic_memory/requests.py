"""Request messages from keyword arguments: see `fields` for what a field accepts."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from semantic_memory.embeddings import pack
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import MemoryFilter

Request = TypeVar("Request", bound=Message)

_POSITIONAL: dict[type[Message], str] = {
    pb.StoreRequest: "content",
    pb.BatchStoreRequest: "memories",
    pb.SearchRequest: "query_text",
    pb.GetRequest: "id",
    pb.DeleteRequest: "ids",
    pb.EnsureIndexRequest: "index",
    pb.GetIndexRequest: "index",
    pb.DropIndexRequest: "index",
}
"""The field that a method takes as its first argument."""
_NATIVE: dict[type[Message], str] = {Timestamp: "datetime", Duration: "timedelta"}
_TYPES: dict[int, str] = {
    FieldDescriptor.TYPE_STRING: "str",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_FLOAT: "number",
    FieldDescriptor.TYPE_UINT32: "non-negative integer",
}


def to_request(kind: type[Request], argument: object, fields: Mapping[str, Any]) -> Request:
    """Return the first argument of a method if it is a request, otherwise a request of all arguments.

    Raises:
        TypeError, ValueError: a field is unknown, set twice, or has a wrong value. The message names the field.
    """
    if isinstance(argument, kind):
        if fields:
            raise TypeError(f"{next(iter(fields))} is set beside a {kind.__name__}: set it in the request")
        return argument
    if argument is None:
        return _build(kind, fields)
    name = _POSITIONAL.get(kind)
    if name is None or isinstance(argument, Message):
        raise TypeError(f"the first argument is {_short(argument)}: pass a {kind.__name__}, or keyword arguments")
    if name in fields:
        raise TypeError(f"{name} is set twice: pass it as the first argument or by keyword")
    return _build(kind, {name: argument, **fields})


def _build(kind: type[Request], fields: Mapping[str, Any], path: str = "") -> Request:
    """Return a message with these fields. Those of its filter may stand beside its own."""
    own: Mapping[str, Any] = kind.DESCRIPTOR.fields_by_name
    of_filter = MemoryFilter.DESCRIPTOR.fields_by_name if "filter" in own else {}
    for name in fields:
        if name not in own and name not in of_filter:
            raise TypeError(f"{path}{name} is not a field of {kind.__name__}: {_suggestion(name, [*own, *of_filter])}")
    present = {name: value for name, value in fields.items() if value is not None}
    if of_filter:
        filter_fields = {name: present.pop(name) for name in list(present) if name not in own}
        if filter_fields and "filter" in present:
            raise TypeError(f"filter and {next(iter(filter_fields))} are both set: use one of them")
        # Send an empty filter too: the error of the server then names user_id and not filter.
        present.setdefault("filter", _build(MemoryFilter, filter_fields))
    for oneof in kind.DESCRIPTOR.oneofs:
        if len(both := [path + field.name for field in oneof.fields if field.name in present]) > 1:
            raise TypeError(f"{' and '.join(both)} are both set: use one of them")
    message = kind()
    for name, value in present.items():
        message.MergeFrom(_with_field(kind, own[name], value, path + name))
    return message


def _with_field(kind: type[Request], field: FieldDescriptor, value: Any, path: str) -> Request:
    """Return a message with this field alone."""
    default: Any = getattr(kind(), field.name)  # Its class shows whether the field is a map, a list or a single value.
    expected = f"a {_TYPES.get(field.type)}"
    if isinstance(default, MutableMapping):
        expected = "a dict of str to str"
        if not isinstance(value, Mapping):
            raise TypeError(f"{path} is {_short(value)}: it must be {expected}")
        converted: Any = dict(value)
    elif isinstance(default, MutableSequence):
        expected = f"a list of {_TYPES.get(field.type)}"
        items = value if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else [value]
        element = getattr(kind(), field.name).add() if field.message_type else None
        converted = [_convert(field, element, one, f"{path}[{place}]") for place, one in enumerate(items)]
    else:
        converted = _convert(field, default, value, path)
    try:
        return kind(**{field.name: converted})
    except (TypeError, ValueError) as error:  # Protobuf does not name the field.
        raise _wrong_value(path, value, expected, error) from error


def _convert(field: FieldDescriptor, default: Any, value: Any, path: str) -> Any:
    """Return a single value as Protobuf takes it."""
    if field.enum_type is not None:
        return _enum(field.enum_type, value, path)
    if field.message_type is not None:
        return _submessage(type(default), value, path)
    if field.type == FieldDescriptor.TYPE_BYTES and not isinstance(value, bytes):
        try:
            return pack(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise _wrong_value(path, value, "bytes or a list of numbers", error) from error
    return value


def _enum(enum: EnumDescriptor, value: Any, path: str) -> int:
    """Return the number of an enum's value: ROLE_USER, "user" or "ROLE_USER"."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {name.removeprefix(prefix).lower(): one.number for name, one in enum.values_by_name.items()}
    if isinstance(value, str):
        number = names.get(value.removeprefix(prefix).lower())
    else:
        number = value if value in enum.values_by_number else None
    if number is None:
        raise ValueError(f"{path} is {_short(value)}: use one of {', '.join(map(repr, list(names)[1:]))}")
    return number


def _submessage(kind: type[Message], value: Any, path: str) -> Message:
    """Return a message from the Python type that stands for it."""
    if isinstance(value, kind):
        return value
    if kind is Timestamp and isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{path} is a datetime without a time zone: use datetime.now(UTC), or add one")
        timestamp = Timestamp()
        timestamp.FromDatetime(value)
        return timestamp
    if kind is Duration and isinstance(value, timedelta):
        duration = Duration()
        duration.FromTimedelta(value)
        return duration
    if isinstance(value, Mapping) and kind not in _NATIVE:
        return _build(kind, value, f"{path}.")
    raise TypeError(f"{path} is {_short(value)}: it must be a {_NATIVE.get(kind, 'dict')} or a {kind.__name__}")


def _wrong_value(path: str, value: Any, expected: str, error: Exception) -> Exception:
    if isinstance(error, UnicodeEncodeError):
        return ValueError(f"{path} has a lone surrogate at {error.start}, which UTF-8 cannot encode: remove it")
    message = f"{path} is {_short(value)}: it must be {expected}"
    return ValueError(message) if isinstance(error, ValueError) else TypeError(message)


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"use one of {', '.join(sorted(known))}"


def _short(value: Any) -> str:
    return f"{reprlib.repr(value)} ({type(value).__name__})"
