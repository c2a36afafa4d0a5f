"""The ports of the use cases: an engine that stores and searches memories, and an embedder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.types import (
    Algorithm,
    Candidate,
    DropResult,
    Embedding,
    Filter,
    IndexInfo,
    IndexSpec,
    Memory,
    Span,
)

T = TypeVar("T")


class IndexChanged(Exception):
    """The index no longer matches the IndexInfo, because another server dropped or recreated it.

    Describe the index again and repeat the operation. Callers of the service never see this error.
    """


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How the engine searches.

    `ef_runtime` None uses the server's default. `allow_partial` accepts a partial answer while shards are unavailable;
    otherwise the search raises Unavailable. `available_shards_only` does not wait for shards that an earlier search of
    the same call found unavailable.
    """

    ef_runtime: int | None = None
    allow_partial: bool = False
    available_shards_only: bool = False


@dataclass(frozen=True, slots=True)
class SearchReply(Generic[T]):
    """The result of a search. `partial`: results of unavailable shards are missing. `has_content`: the memories include
    their content; otherwise they have only their header fields."""

    value: T
    partial: bool = False
    has_content: bool = False


class Embedder(Protocol):
    """An embedding model.

    Raises ResourceExhausted, Unavailable, FailedPrecondition, InvalidRequest (TEXT_NOT_EMBEDDABLE) or DeadlineExceeded.
    """

    model: str
    dimension: int

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text of 1 to 50,000 characters."""
        ...


class IndexStore(Protocol):
    """Creates, describes and drops indexes.

    Every method may raise Unavailable, ResourceExhausted or DeadlineExceeded.
    """

    def last_disconnect_at(self) -> float:
        """Return when the engine last disconnected, by time.monotonic; 0 if it never did.

        A restarted engine answers before its indexes are complete, so information from before that time is stale.
        """
        ...

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        """Create or check the index and wait until it is ready. Return True if anything was created.

        Raises FailedPrecondition (INDEX_DIFFERS), with every difference.
        """
        ...

    async def describe(self, index: str) -> IndexInfo | None:
        """Return the current state of the index, or None if it does not exist or is being dropped. Read-only."""
        ...

    async def describe_all(self) -> list[IndexInfo]:
        """Return all indexes, ordered by name."""
        ...

    async def drop(self, index: str, *, delete_memories: bool) -> DropResult | None:
        """Remove an index and, on request, its memories. Return None if there is no such index.

        The index disappears for all callers with the first step. A repeated drop, or `create`, finishes an interrupted
        one.
        """
        ...


class MemoryStore(Protocol):
    """Stores memories by storage id: 128 bits in hex, unique in the index.

    Every method may raise IndexChanged, Unavailable, ResourceExhausted or DeadlineExceeded.
    """

    async def insert(
        self, index: IndexInfo, storage_id: str, memory: Memory, embedding: Embedding, terms: Sequence[str]
    ) -> bool:
        """Write a memory unless its storage id is taken. `terms` are the stems of its content.

        Returns True once the engine has acknowledged the memory and it is searchable in the current index, False if the
        storage id is taken. A write that has begun runs to its end even if the caller is cancelled. After IndexChanged
        the memory may be stored only if the new index accepts it too.
        """
        ...

    async def read(self, index: IndexInfo, storage_ids: Sequence[str]) -> list[Memory | None]:
        """Return the memories in the order of `storage_ids`; None if there is no document of the index's layout."""
        ...

    async def remove_expired(self, index: IndexInfo, storage_ids: Sequence[str] | None = None) -> int:
        """Delete expired memories that the engine has not removed, and return their number.

        With `storage_ids` None, search the index for expired memories. Servers may call this concurrently: one of them
        does the work, the others return 0.
        """
        ...

    async def embeddings(self, index: IndexInfo, storage_ids: Sequence[str]) -> list[Embedding | None]:
        """Return the embeddings in the order of `storage_ids`; None if there is none."""
        ...

    async def delete(self, index: IndexInfo, storage_ids: Sequence[str]) -> list[bool]:
        """Delete memories; return for each whether it existed."""
        ...

    async def secret(self) -> bytes:
        """Return 32 random bytes that all servers of this engine share and that never change."""
        ...


class MemorySearch(Protocol):
    """Searches memories. Results match the filter and have not expired.

    A result shorter than the limit is complete: there are no more. Every method may raise IndexChanged,
    FailedPrecondition (INDEX_LACKS_FIELDS), Unavailable, ResourceExhausted or DeadlineExceeded.
    """

    def algorithm_for(self, index: IndexInfo, where: Filter) -> Algorithm:
        """Return the algorithm that answers a KNN search within this filter."""
        ...

    async def search(
        self, index: IndexInfo, where: Filter, embedding: Embedding, k: int, options: SearchOptions
    ) -> SearchReply[list[Candidate]]:
        """Return the k nearest memories, nearest first, ties by id. Up to READ_BATCH include their content."""
        ...

    async def nearest(
        self,
        index: IndexInfo,
        where: Filter,
        embedding: Embedding,
        k: int,
        options: SearchOptions,
        terms: Sequence[str] = (),
    ) -> SearchReply[list[Candidate]]:
        """As `search`, but with stems and without content. With `terms`, only memories that contain any of them."""
        ...

    async def matching(
        self, index: IndexInfo, where: Filter, limit: int, options: SearchOptions, terms: Sequence[str] = ()
    ) -> SearchReply[list[Candidate]]:
        """Return any `limit` memories, with stems. With `terms`, only memories that contain any of them."""
        ...

    async def around(
        self, index: IndexInfo, spans: Sequence[Span], embedding: Embedding | None, limit: int, options: SearchOptions
    ) -> SearchReply[list[Candidate]]:
        """Return the memories of these spans, with stems and, given an embedding, with distances.

        Spans beyond the size of one query are left out, starting with the last; so are memories beyond the limit.
        """
        ...

    async def counts(self, index: IndexInfo, filters: Sequence[Filter]) -> list[int]:
        """Count the memories that match each filter, in one round trip. Above the engine's count_limit a count may be
        too low, but never below that limit."""
        ...

    async def frequencies(
        self, index: IndexInfo, where: Filter, words: Sequence[Sequence[str]], options: SearchOptions
    ) -> SearchReply[list[int]]:
        """Count the memories that match the filter, then those that also contain any term of each word. `counts` has
        the limits."""
        ...

    async def ordered(self, index: IndexInfo, where: Filter, limit: int, *, newest_first: bool) -> list[Candidate]:
        """Return the first `limit` memories by timestamp; ties are in any order. The filter must
        match no more than the engine's count_limit."""
        ...

    async def neighbors(
        self, index: IndexInfo, memories: Sequence[Memory], before: int, after: int, options: SearchOptions
    ) -> SearchReply[list[list[Candidate]]]:
        """Return, for each memory, its neighbors in its session, in any order: the last `before` memories before it,
        the first `after` memories after it, and all with the same timestamp, itself included. Takes one round trip."""
        ...
