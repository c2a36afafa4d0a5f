"""What the use cases need from outside: an engine that keeps and finds, an embedder that turns text to
numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.types import (
    Algorithm,
    Candidate,
    Dropped,
    Embedding,
    Filter,
    IndexInfo,
    IndexSpec,
    Memory,
    Span,
)


class IndexChanged(Exception):
    """The index is no longer what the IndexInfo says: another server has created it anew or dropped it. Describe it
    again and repeat the operation; callers of the service never see this."""


COUNT_LIMIT = 100_000
"""Upper bound on exact counts and sorts: valkey-search looks at no more memories."""


@dataclass(slots=True)
class SearchOptions:
    """How the engine shall search, and how it did.

    `ef_runtime` None: the engine's own. `partial_allowed`: an answer without the shards that are away will do; the
    engine then sets `partial` when it gave one. Otherwise such an answer is an Unavailable.
    """

    ef_runtime: int | None = None
    partial_allowed: bool = False
    partial: bool = False


class Embedder(Protocol):
    """Makes embeddings of one model.

    Raises Exhausted, Unavailable, FailedPrecondition, InvalidRequest (TEXT_NOT_EMBEDDABLE) or DeadlineExceeded.
    """

    model: str
    dimension: int

    async def embed(self, text: str) -> EmbeddedText:
        """The unit-length embedding of a text of 1 to 50,000 characters."""
        ...


class IndexStore(Protocol):
    """Keeps indexes. Raises Unavailable, Exhausted or DeadlineExceeded besides what is named."""

    def broken_at(self) -> float:
        """When the engine last broke off, by time.monotonic; 0 if never. One that was started again answers before its
        indexes have taken in everything: what was seen of them earlier no longer holds."""
        ...

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        """Create the index or check it, and wait until it answers in full. True when anything was created.

        Raises FailedPrecondition (INDEX_DIFFERS), with every difference.
        """
        ...

    async def describe(self, index: str) -> IndexInfo | None:
        """The index as it is now, or None when it is not there or is being dropped. Changes nothing."""
        ...

    async def describe_all(self) -> list[IndexInfo]:
        """All indexes, in the order of their names."""
        ...

    async def drop(self, index: str, *, delete_memories: bool) -> Dropped | None:
        """Remove an index, and its memories if asked to; None when there is none. From its first step on the index is
        gone for everyone; a repetition, or `create`, finishes what was interrupted."""
        ...


class MemoryStore(Protocol):
    """Keeps memories. A memory lies at a slot: 128 bits in hex, unique in its index.

    Raises IndexChanged, Unavailable, Exhausted or DeadlineExceeded.
    """

    async def insert(
        self, index: IndexInfo, slot: str, memory: Memory, embedding: Embedding, terms: Sequence[str]
    ) -> bool:
        """Write the memory unless its slot is taken. False: taken, nothing written. True: acknowledged, searchable, in
        the index as it is now. `terms` are the stems of its content. Once begun it runs to its end, even when the
        caller is cancelled.

        After IndexChanged the slot may hold the memory if the new index can hold it too; else it does not.
        """
        ...

    async def read(self, index: IndexInfo, slots: Sequence[str]) -> list[Memory | None]:
        """The memories at these slots, in their order; None where there is none, or no document of this layout."""
        ...

    async def remove_expired(self, index: IndexInfo, slots: Sequence[str] | None = None) -> int:
        """Delete the memories at these slots, or with None some of the index, that have expired and that the engine has
        not removed; return how many. Servers may do so at the same time: one works, the others return 0."""
        ...

    async def embeddings(self, index: IndexInfo, slots: Sequence[str]) -> list[Embedding | None]:
        """The embeddings at these slots, in their order."""
        ...

    async def delete(self, index: IndexInfo, slots: Sequence[str]) -> list[bool]:
        """Delete these slots; for each, whether something was there."""
        ...

    async def secret(self) -> bytes:
        """32 random bytes, the same for every server of this engine, for ever."""
        ...


class MemorySearch(Protocol):
    """Finds memories. What it finds passes the filter, is alive and, where the engine can tell, is complete.

    Raises IndexChanged, FailedPrecondition (INDEX_LACKS_FIELDS), Unavailable, Exhausted or DeadlineExceeded.

    Where fewer memories come back than the limit asks for, there are no more.
    """

    def algorithm_for(self, index: IndexInfo, where: Filter) -> Algorithm:
        """What answers a KNN search within this filter."""
        ...

    async def search(
        self, index: IndexInfo, where: Filter, embedding: Embedding, k: int, options: SearchOptions
    ) -> tuple[list[Candidate], bool]:
        """The nearest k memories within the filter, nearest first, ties in the order of their ids; and whether they are
        whole, as a few are. Of more only the headings come back."""
        ...

    async def nearest(
        self,
        index: IndexInfo,
        where: Filter,
        embedding: Embedding,
        k: int,
        options: SearchOptions,
        terms: Sequence[str] = (),
    ) -> list[Candidate]:
        """As `search`, with headings and stems; with `terms` only memories that have any of them."""
        ...

    async def matching(
        self, index: IndexInfo, where: Filter, limit: int, options: SearchOptions, terms: Sequence[str] = ()
    ) -> list[Candidate]:
        """Any `limit` memories within the filter, with headings and stems; with `terms` such as have any of them."""
        ...

    async def around(
        self, index: IndexInfo, spans: Sequence[Span], embedding: Embedding | None, limit: int, options: SearchOptions
    ) -> list[Candidate]:
        """The memories of these spans, with headings and stems, and with an embedding their distances from it. Spans
        beyond what one query can hold are left out, the last first; so are memories beyond the limit."""
        ...

    async def counts(self, index: IndexInfo, filters: Sequence[Filter]) -> list[int]:
        """How many memories pass each filter, in one round trip; of more than COUNT_LIMIT an engine may count only so
        many."""
        ...

    async def frequencies(
        self, index: IndexInfo, where: Filter, terms: Sequence[str], options: SearchOptions
    ) -> list[int]:
        """How many memories pass the filter; then for each stem how many of them have it. Counted as by `counts`."""
        ...

    async def ordered(self, index: IndexInfo, where: Filter, limit: int, *, newest_first: bool) -> list[Candidate]:
        """The first `limit` memories within the filter by timestamp, those of the same time in any order; headings. The
        filter may hold no more than COUNT_LIMIT."""
        ...

    async def neighbors(
        self, index: IndexInfo, memories: Sequence[Memory], before: int, after: int, options: SearchOptions
    ) -> list[list[Candidate]]:
        """For each memory, headings in any order: of its user and session the last `before` before it, the first
        `after` after it, and those of its very time, itself among them. One round trip for all."""
        ...
