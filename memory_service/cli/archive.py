"""The file of an export: JSON lines, first a header, then a memory a line in the contract's JSON form, oldest first.

    {"semantic_memory": 1, "index": "memory_idx", "embedding_model": …, "dimension": 384, "filter": {"user_id": …}}
    {"id": …, "user_id": …, "role": "ROLE_USER", "content": …, "timestamp": …, "embedding": base64}

Only the end of a file can be torn, by a crash while it was written: a line counts once its newline is there.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Header:
    """Which memories a file holds: those of an index that pass a filter. The model made their embeddings."""

    index: str
    embedding_model: str
    dimension: int
    filter: dict[str, Any]

    def line(self) -> bytes:
        """The first line of the file."""
        return json.dumps({"semantic_memory": _VERSION, **asdict(self)}, ensure_ascii=False).encode() + b"\n"


@dataclass(slots=True)
class Written:
    """What a file holds already: whole lines, up to `size` bytes; the time of the last memory, and which memories of
    that very time there are, by user and id."""

    size: int
    count: int = 0
    last: Timestamp | None = None
    at_last: set[tuple[str, str]] = field(default_factory=set)

    def holds(self, memory: memory_pb2.Memory) -> bool:
        """Tell whether the memory, no older than `last`, is in the file."""
        return memory.timestamp == self.last and (memory.user_id, memory.id) in self.at_last


def read_header(line: bytes) -> Header:
    """The header of a file.

    Raises ValueError, in words, when the line is none.
    """
    try:
        fields = json.loads(line)
        version = fields["semantic_memory"]
        header = Header(
            index=str(fields["index"]),
            embedding_model=str(fields["embedding_model"]),
            dimension=int(fields["dimension"]),
            filter=dict(fields["filter"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("its first line is not the header of an export") from error
    if version != _VERSION:
        raise ValueError(f"it is of version {version!r}, this program reads version {_VERSION}")
    return header


def memory_line(memory: memory_pb2.Memory) -> bytes:
    """The line of a memory."""
    return json.dumps(as_json(memory), ensure_ascii=False).encode() + b"\n"


def read_memory(line: bytes) -> memory_pb2.Memory:
    """The memory of a line.

    Raises ValueError when it is none.
    """
    try:
        return json_format.Parse(line, memory_pb2.Memory())
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def read_written(lines: Iterable[bytes], size: int) -> Written:
    """What the lines after a header of `size` bytes hold, up to the first that cannot be read."""
    written = Written(size)
    for line in lines:
        try:
            memory = read_memory(line)
        except ValueError:
            break
        if not line.endswith(b"\n"):
            break
        if memory.timestamp != written.last:
            written.last = memory.timestamp
            written.at_last.clear()
        written.at_last.add((memory.user_id, memory.id))
        written.count += 1
        written.size += len(line)
    return written


def as_json(message: Message) -> dict[str, Any]:
    """A message in the contract's JSON form."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
