"""The file of an export: JSON lines, first a header, then a memory a line in the contract's JSON form, oldest first.

    {"semantic_memory": 1, "index": "memory_idx", "embedding_model": …, "dimension": 384, "filter": {"user_id": …}}
    {"id": …, "user_id": …, "role": "ROLE_USER", "content": …, "timestamp": …, "embedding": base64}

A file of changes since another export has `"changes": true` in its header, and for each memory that is no longer there
a line `{"deleted": {"id": …, …}}` without the embedding.

Only the end of a file can be torn, by a crash while it was written: a line counts once its newline is there.
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
"""Bytes: several times what the largest memory takes."""
_LARGEST_DIMENSION = 2**31 - 1
_KNOWN = {name for one in memory_pb2.Memory.DESCRIPTOR.fields for name in (one.name, one.json_name)}
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN = 200
"""Characters of a parser's words that are shown: they may hold the content."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which memories a file holds: those of an index that pass a filter, or what has changed of them. The model made
    their embeddings."""

    index: str
    embedding_model: str
    dimension: int
    filter: dict[str, Any]
    changes: bool = False

    def line(self) -> bytes:
        """The first line of the file."""
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
    """A memory that was in the index at an earlier export, and is no longer there."""

    memory: memory_pb2.Memory

    def line(self) -> bytes:
        """Its line."""
        return json.dumps({"deleted": as_json(self.memory)}, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Read:
    """What a line holds, and fields of it that a newer version wrote and this one does not know."""

    entry: memory_pb2.Memory | Deleted
    unknown: frozenset[str] = frozenset()


def read_header(line: bytes) -> Header:
    """The header of a file.

    Raises ValueError, in words, when the line is none.
    """
    if line.startswith(_WIDE):
        raise ValueError("it is in UTF-16: convert it to UTF-8")
    try:
        fields = _object(line.removeprefix(codecs.BOM_UTF8))
        version = fields["semantic_memory"]
    except (ValueError, KeyError) as error:
        raise ValueError("its first line is not the header of an export") from error
    if version != _VERSION:
        raise ValueError(f"it is of version {version!r}, this program reads version {_VERSION}")
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
            raise ValueError(f"the header has a wrong {name}")
    if not header.index or not header.embedding_model or not 0 < header.dimension <= _LARGEST_DIMENSION:
        raise ValueError("the header lacks index, embedding_model or dimension")
    return header


def memory_line(memory: memory_pb2.Memory) -> bytes:
    """The line of a memory."""
    return json.dumps(as_json(memory), ensure_ascii=False).encode() + b"\n"


def read_lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The lines of a file from where it is, each with its size. Of a line longer than any memory only the beginning is
    kept."""
    while line := file.readline(_LONGEST_LINE):
        size, end = len(line), line
        while len(end) == _LONGEST_LINE and not end.endswith(b"\n"):
            end = file.readline(_LONGEST_LINE)
            size += len(end)
        yield line, size


def read_line(line: bytes) -> Read:
    """The entry of a line. Fields that this version does not know are left out, as docs/compatibility.md says.

    Raises ValueError, in words, when it is none.
    """
    fields = _object(line)
    deleted = fields.get("deleted")
    if isinstance(deleted, dict):
        memory = _memory(deleted)
        return Read(Deleted(memory), frozenset(deleted.keys() - _KNOWN))
    return Read(_memory(fields), frozenset(fields.keys() - _KNOWN))


def as_json(message: Message) -> dict[str, Any]:
    """A message in the contract's JSON form."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _memory(fields: dict[str, Any]) -> memory_pb2.Memory:
    try:
        return json_format.ParseDict(fields, memory_pb2.Memory(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(f"is no memory: {str(error)[:_SHOWN]}") from error
    except Exception as error:  # Of some values protobuf's parser raises what it should not: SystemError, for one.
        raise ValueError("is no memory: it has a value that cannot be read") from error


def _object(line: bytes) -> dict[str, Any]:
    if not line.strip():
        raise ValueError("is empty")
    if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
        raise ValueError(f"is longer than {_LONGEST_LINE // 2**20} MiB, and no memory is")
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: byte {error.start + 1}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except ValueError as error:
        if not line.endswith(b"\n"):
            raise ValueError("is cut off: the file ends in the middle of it") from error
        raise ValueError(f"is not JSON: {str(error)[:_SHOWN]}") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - it is a value that is wrong
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
