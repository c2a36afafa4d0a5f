"""What the use cases need from outside: an engine that keeps and searches, an embedder that turns text to numbers."""

from collections.abc import Sequence
from typing import Protocol

from memory_service.memory.types import Algorithm, Candidate, Embedding, Filter, IndexInfo, IndexSpec, Memory


class Embedder(Protocol):
    """Makes embeddings of one model.

    Raises Exhausted, Unavailable, FailedPrecondition, InvalidRequest (TEXT_NOT_EMBEDDABLE) or DeadlineExceeded.
    """

    model: str
    dimension: int

    async def embed(self, text: str) -> Embedding:
        """The unit-length embedding of a text of 1 to 50,000 characters."""
        ...


class Engine(Protocol):
    """Keeps memories and finds the nearest ones. A memory lies at a slot: 128 bits in hex, unique in its index.

    Raises Unavailable, Exhausted or DeadlineExceeded besides what is named.
    """

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        """Create the index or check it, and wait until it answers in full. True when anything was created.

        Raises FailedPrecondition (INDEX_DIFFERS), with every difference.
        """
        ...

    async def describe(self, index: str) -> IndexInfo | None:
        """The index as it is now, or None."""
        ...

    async def names(self) -> list[str]:
        """The names of all indexes, sorted."""
        ...

    async def insert(self, index: str, slot: str, memory: Memory, embedding: Embedding) -> bool:
        """Write the memory unless its slot is taken. False: taken, nothing written. True: acknowledged, searchable."""
        ...

    async def search(
        self, index: IndexInfo, algorithm: Algorithm, where: Filter, embedding: Embedding, k: int
    ) -> list[Candidate]:
        """The nearest k memories within the filter, nearest first, ties in the order of their ids."""
        ...

    async def read(self, index: str, slots: Sequence[str]) -> list[Memory | None]:
        """The memories at these slots, in their order."""
        ...

    async def delete(self, index: str, slots: Sequence[str]) -> list[bool]:
        """Delete these slots; for each, whether something was there."""
        ...

    async def ping(self) -> None:
        """Return when the engine answers."""
        ...
