"""The memories of an exported file in lots, as BatchStore takes them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.archive import read_memory

_COUNT = 100
_BYTES = 3 * 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """So far into a file, in bytes and in lines."""

    offset: int
    line: int


@dataclass(slots=True)
class Batch:
    """Lines that are imported at once, by their numbers: the memory of each, or why it cannot be read; and the place
    behind them."""

    end: Place
    lines: dict[int, pb.StoreRequest | ValueError] = field(default_factory=dict)
    size: int = 0

    def takes(self, size: int) -> bool:
        """Tell whether there is room for another memory of this size."""
        return not self.lines or (len(self.lines) < _COUNT and self.size + size <= _BYTES)


def read_batches(file: BinaryIO, place: Place, model: str) -> Iterator[Batch]:
    """The lines from a place on; without a model, without their embeddings."""
    batch = Batch(place)
    for line in file:
        request: pb.StoreRequest | ValueError
        try:
            request = _request(read_memory(line), model)
            size = request.ByteSize()
        except ValueError as error:
            request, size = error, 0
        if not batch.takes(size):
            yield batch
            batch = Batch(batch.end)
        batch.end = Place(batch.end.offset + len(line), batch.end.line + 1)
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
