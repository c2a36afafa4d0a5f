"""Batches of an exported file for BatchStore."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.archive import Deleted, read_line, read_lines

_MAX_COUNT = 100
_MAX_BYTES = 3 * 2**20


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a file, in bytes and lines."""

    offset: int
    line: int


@dataclass(slots=True)
class Batch:
    """The requests (or errors) of one BatchStore by line number, unknown fields, and the position after them."""

    end: Position
    lines: dict[int, pb.StoreRequest | ValueError] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    size: int = 0

    def has_room_for(self, size: int) -> bool:
        """Whether a memory of this size fits."""
        return not self.lines or (len(self.lines) < _MAX_COUNT and self.size + size <= _MAX_BYTES)


def read_batches(file: BinaryIO, position: Position, model: str) -> Iterator[Batch]:
    """Yield the lines from a position on, except deletions. Without a model, the embeddings are left out."""
    batch = Batch(position)
    for line, length in read_lines(file):
        request: pb.StoreRequest | ValueError | None
        unknown: frozenset[str] = frozenset()
        try:
            parsed = read_line(line)
            unknown = parsed.unknown
            request = None if isinstance(parsed.entry, Deleted) else _request(parsed.entry, model)
            size = request.ByteSize() if request else 0
        except ValueError as error:
            request, size = error, 0
        if not batch.has_room_for(size):
            yield batch
            batch = Batch(batch.end)
        batch.end = Position(batch.end.offset + length, batch.end.line + 1)
        batch.unknown.update(unknown)
        if request is not None:
            batch.lines[batch.end.line] = request
            batch.size += size
    yield batch


def _request(memory: memory_pb2.Memory, model: str) -> pb.StoreRequest:
    if memory.role == memory_pb2.ROLE_UNSPECIFIED:
        raise ValueError(f"has no role: set it to {', '.join(memory_pb2.Role.keys()[1:])}")
    request = pb.StoreRequest(
        id=memory.id,
        user_id=memory.user_id,
        session_id=memory.session_id,
        role=memory.role,
        content=memory.content,
        timestamp=memory.timestamp if memory.HasField("timestamp") else None,
        expire_time=memory.expire_time if memory.HasField("expire_time") else None,
        labels=memory.labels,
        metadata=memory.metadata,
    )
    if model:
        request.embedding = memory.embedding
        request.embedding_model = model
    return request
