"""The domain's values. Times are integer microseconds since 1970-01-01 UTC; embeddings are float32 arrays."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]
"""One embedding: shape (dimension,), float32, unit length."""


EARLIEST = -62_135_596_800_000_000
LATEST = 253_402_300_799_999_999
"""The years 1 to 9999, the range of google.protobuf.Timestamp."""


def now() -> int:
    """Return the current time in microseconds since 1970."""
    return time.time_ns() // 1000


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class Algorithm(StrEnum):
    """A KNN algorithm."""

    HNSW = "HNSW"
    FLAT = "FLAT"


class Layout(StrEnum):
    """The data type of the engine's documents."""

    JSON = "JSON"
    HASH = "HASH"


@dataclass(frozen=True, slots=True)
class Memory:
    """One stored chat message.

    `role` is None only for a document of other software whose role is unknown. `expires_at` is None for a memory that
    never expires. `content` and `metadata` are empty if only the header was read (see Candidate).
    """

    id: str
    user_id: str
    session_id: str
    role: Role | None
    content: str
    timestamp: int
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires_at: int | None = None

    def is_expired(self) -> bool:
        """Return whether the memory has expired. The engine may not have removed it yet."""
        return self.expires_at is not None and self.expires_at <= now()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which memories to search: AND between fields, OR within one field. An empty tuple or None matches everything.

    `user_id` None means all users; it is set only when the caller explicitly requests all users. The time range is
    half-open: `start <= timestamp < end`.
    """

    user_id: str | None
    session_ids: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    start: int | None = None
    end: int | None = None
    any_labels: tuple[str, ...] = ()
    all_labels: tuple[str, ...] = ()
    exclude_session_ids: tuple[str, ...] = ()

    @property
    def uses_labels(self) -> bool:
        """Whether the filter has a condition on labels."""
        return bool(self.any_labels or self.all_labels)

    def matches(self, memory: Memory) -> bool:
        """Return whether the memory matches every condition except the time range.

        The engine checks the time range, because it has the exact times: it returns the times of other software's
        documents rounded.
        """
        return (
            (self.user_id is None or memory.user_id == self.user_id)
            and (not self.session_ids or memory.session_id in self.session_ids)
            and memory.session_id not in self.exclude_session_ids
            and (not self.roles or memory.role in self.roles)
            and (not self.any_labels or not set(self.any_labels).isdisjoint(memory.labels))
            and (not self.all_labels or set(self.all_labels).issubset(memory.labels))
        )

    def matches_time(self, memory: Memory) -> bool:
        """Return whether the memory is within the time range."""
        return (self.start is None or memory.timestamp >= self.start) and (
            self.end is None or memory.timestamp < self.end
        )

    def between(self, start: int | None, end: int | None) -> "Filter | None":
        """Return this filter narrowed to a further time range, or None when the result matches nothing."""
        starts = [bound for bound in (self.start, start) if bound is not None]
        ends = [bound for bound in (self.end, end) if bound is not None]
        first, last = max(starts, default=None), min(ends, default=None)
        if first is not None and last is not None and first >= last:
            return None
        return replace(self, start=first, end=last)


@dataclass(frozen=True, slots=True)
class Span:
    """A time range of one session: `start <= timestamp < end`."""

    user_id: str
    session_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that a search found.

    `distance` is the cosine distance from the query, 0 to 2, or None without an embedding. `terms` are the stems of the
    content, if they were requested. A search for ranking returns no content: `memory` then holds the header fields
    only, and MemoryStore.read returns the rest.
    """

    storage_id: str
    memory: Memory
    distance: float | None = None
    terms: tuple[str, ...] = ()

    @property
    def sort_key(self) -> tuple[int, str, str]:
        """The position in time order: timestamp, then id, then storage id."""
        return (self.memory.timestamp, self.memory.id, self.storage_id)

    @property
    def similarity(self) -> float:
        """Cosine similarity, -1 to 1; 0 without an embedding."""
        return 0.0 if self.distance is None else 1.0 - self.distance


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """The index that EnsureIndex requests.

    `algorithms` and `layout` None accept those of an existing index. A new index gets both algorithms and the server's
    default layout.
    """

    name: str
    dimension: int
    embedding_model: str
    algorithms: frozenset[Algorithm] | None = None
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class EngineCapabilities:
    """The capabilities and limits of an engine.

    `count_limit` is the upper bound on exact counts and sorts, and `max_k` the upper bound on the results of one KNN
    search. `reports_missing_shards`: a search can fail instead of returning a partial answer. `pipelines_writes`: a
    command may follow an indexed write in one pipeline.
    """

    count_limit: int = 100_000
    max_k: int = 10_000
    reports_missing_shards: bool = False
    pipelines_writes: bool = False


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """A description of an index.

    `embedding_model` is None for an index of other software that EnsureIndex has not adopted yet. `text_parts` are the
    algorithms whose part has the fields for labels and words, `expiry_parts` those whose part can exclude expired
    memories. `has_earlier_terms` is True if memories may have the terms of an earlier version. `revision` changes
    whenever the index is created or dropped; it is empty when other software created the index. `capabilities` are
    those of the engine that holds it.
    """

    name: str
    dimension: int
    embedding_model: str | None
    algorithms: frozenset[Algorithm]
    ready: bool
    memory_count: int
    indexing_failures: int
    text_parts: frozenset[Algorithm] = frozenset()
    layout: Layout = Layout.JSON
    expiry_parts: frozenset[Algorithm] = frozenset()
    has_earlier_terms: bool = False
    revision: str = ""
    capabilities: EngineCapabilities = field(default=EngineCapabilities(), compare=False)


@dataclass(frozen=True, slots=True)
class DropResult:
    """The result of a drop: the number of deleted memories, and of keys under the prefix that are not memories."""

    deleted: int
    kept: int
