"""The memories of an exported file in lots, as BatchStore takes them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.archive import Deleted, read_line, read_lines

_COUNT = 100
_BYTES = 3 * 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """So far into a file, in bytes and in lines."""

    offset: int
    line: int


@dataclass(slots=True)
class Batch:
    """Lines that are imported at once, by their numbers: the memory of each, or why it cannot be read; fields that this
    version does not know; and the place behind them."""

    end: Place
    lines: dict[int, pb.StoreRequest | ValueError] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    size: int = 0

    def takes(self, size: int) -> bool:
        """Tell whether there is room for another memory of this size."""
        return not self.lines or (len(self.lines) < _COUNT and self.size + size <= _BYTES)


def read_batches(file: BinaryIO, place: Place, model: str) -> Iterator[Batch]:
    """The lines from a place on, but those of deletions; without a model, without their embeddings."""
    batch = Batch(place)
    for line, length in read_lines(file):
        request: pb.StoreRequest | ValueError | None
        unknown: frozenset[str] = frozenset()
        try:
            read = read_line(line)
            unknown = read.unknown
            request = None if isinstance(read.entry, Deleted) else _request(read.entry, model)
            size = request.ByteSize() if request else 0
        except ValueError as error:
            request, size = error, 0
        if not batch.takes(size):
            yield batch
            batch = Batch(batch.end)
        batch.end = Place(batch.end.offset + length, batch.end.line + 1)
        batch.unknown.update(unknown)
        if request is not None:
            batch.lines[batch.end.line] = request
            batch.size += size
    yield batch


def _request(memory: memory_pb2.Memory, model: str) -> pb.StoreRequest:
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
