"""The format of an exported file: JSON lines. The first is a header, then follows one memory per line, oldest first.

    {"semantic_memory": 1, "index": "memory_idx", "embedding_model": …, "dimension": 384, "filter": {"user_id": …}}
    {"id": …, "user_id": …, "role": "ROLE_USER", "content": …, "timestamp": …, "embedding": base64}

Memories have the JSON form of their protobuf message. A file of changes since another export has `"changes": true` in
its header, and for each deleted memory a line `{"deleted": {"id": …, …}}` without the embedding.

A crash can only cut off the end of a file: a line without a newline is ignored.
"""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from google.protobuf import json_format
from google.protobuf.message import Message
from semantic_memory.v1 import memory_pb2

_VERSION = 1
_LONGEST_LINE = 16 * 2**20
"""In bytes: several times the size of the largest memory."""
_MAX_DIMENSION = 2**31 - 1
_KNOWN_FIELDS = {name for field in memory_pb2.Memory.DESCRIPTOR.fields for name in (field.name, field.json_name)}
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAX_CAUSE = 200
"""Characters of a parser's message that are shown: it may contain stored text."""


@dataclass(frozen=True, slots=True)
class Header:
    """The contents of a file: the memories of an index that match a filter, or with `changes` those that changed."""

    index: str
    embedding_model: str
    dimension: int
    filter: dict[str, Any]
    changes: bool = False

    def line(self) -> bytes:
        """Return the first line of the file."""
        fields = {
            "semantic_memory": _VERSION,
            "index": self.index,
            "embedding_model": self.embedding_model,
            "dimension": self.dimension,
            "filter": self.filter,
            **({"changes": True} if self.changes else {}),
        }
        return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Deleted:
    """A memory of an earlier export that the index no longer has."""

    memory: memory_pb2.Memory

    def line(self) -> bytes:
        """Return its line."""
        return json.dumps({"deleted": as_json(self.memory)}, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """The entry of a line, and names of fields that this version does not know."""

    entry: memory_pb2.Memory | Deleted
    unknown: frozenset[str] = frozenset()


def read_header(line: bytes) -> Header:
    """Parse the header of a file.

    Raises:
        ValueError: the line is not a header; the message says why.
    """
    if line.startswith(_UTF16_BOMS):
        raise ValueError("is in UTF-16: convert it to UTF-8")
    try:
        fields = _parse_object(line.removeprefix(codecs.BOM_UTF8))
        version = fields["semantic_memory"]
    except (ValueError, KeyError) as error:
        raise ValueError("does not begin with the header of an export") from error
    if version != _VERSION:
        raise ValueError(f"has version {version!r} of the format; this program reads version {_VERSION}")
    header = Header(
        index=fields.get("index", ""),
        embedding_model=fields.get("embedding_model", ""),
        dimension=fields.get("dimension", 0),
        filter=fields.get("filter", {}),
        changes=fields.get("changes", False),
    )
    for name, value, kind in (
        ("index", header.index, str),
        ("embedding_model", header.embedding_model, str),
        ("dimension", header.dimension, int),
        ("filter", header.filter, dict),
        ("changes", header.changes, bool),
    ):
        if type(value) is not kind or (isinstance(value, str) and not _is_unicode(value)):
            raise ValueError(f"has a header whose {name} is not valid")
    if not header.index or not header.embedding_model or not 0 < header.dimension <= _MAX_DIMENSION:
        raise ValueError("has a header without index, embedding_model or dimension")
    return header


def memory_line(memory: memory_pb2.Memory) -> bytes:
    """Return the line of a memory."""
    return json.dumps(as_json(memory), ensure_ascii=False).encode() + b"\n"


def read_lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a file from its current position, each with its size. A line that is longer than any memory is
    cut."""
    while line := file.readline(_LONGEST_LINE):
        size, end = len(line), line
        while len(end) == _LONGEST_LINE and not end.endswith(b"\n"):
            end = file.readline(_LONGEST_LINE)
            size += len(end)
        yield line, size


def read_line(line: bytes) -> ParsedLine:
    """Parse the entry of a line without fields that this version does not know (see docs/compatibility.md).

    Raises:
        ValueError: the line is not an entry; the message says why.
    """
    fields = _parse_object(line)
    deleted = fields.get("deleted")
    if isinstance(deleted, dict):
        memory = _parse_memory(deleted)
        return ParsedLine(Deleted(memory), frozenset(deleted.keys() - _KNOWN_FIELDS))
    return ParsedLine(_parse_memory(fields), frozenset(fields.keys() - _KNOWN_FIELDS))


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as JSON, with the field names of the proto."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _parse_memory(fields: dict[str, Any]) -> memory_pb2.Memory:
    try:
        return json_format.ParseDict(fields, memory_pb2.Memory(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(f"is not a memory: {str(error)[:_MAX_CAUSE]}") from error
    except Exception as error:  # For some values the parser of protobuf raises other errors, such as SystemError.
        raise ValueError("is not a memory: a value cannot be parsed") from error


def _parse_object(line: bytes) -> dict[str, Any]:
    if not line.strip():
        raise ValueError("is empty")
    if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
        raise ValueError(f"is longer than {_LONGEST_LINE // 2**20} MiB, the limit of a line")
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: byte {error.start + 1}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except ValueError as error:
        if not line.endswith(b"\n"):
            raise ValueError("is cut off: the file ends within it") from error
        raise ValueError(f"is not JSON: {str(error)[:_MAX_CAUSE]}") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - the type of a value, not of an argument
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
