"""What the domain speaks of. Times are integers, microseconds since 1970-01-01 UTC; embeddings are float32 arrays."""

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
    """The time, in microseconds since 1970."""
    return time.time_ns() // 1000


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class Algorithm(StrEnum):
    """A way to find the nearest embeddings."""

    HNSW = "HNSW"
    FLAT = "FLAT"


class Layout(StrEnum):
    """How memories lie in the engine."""

    JSON = "JSON"
    HASH = "HASH"


@dataclass(frozen=True, slots=True)
class Memory:
    """One stored chat message. `role` is None only for a document of other software with a role that we do not know.

    `expires` None: never. `content` and `metadata` are empty where only the heading was read: see Candidate.
    """

    id: str
    user_id: str
    session_id: str
    role: Role | None
    content: str
    timestamp: int
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires: int | None = None

    def expired(self) -> bool:
        """Tell whether it has expired, whatever the engine has removed so far."""
        return self.expires is not None and self.expires <= now()


@dataclass(frozen=True, slots=True)
class Filter:
    """Where to search: AND between the fields, OR within one; an empty tuple or None lets everything through.

    `user_id` None means every user, and is only ever set by someone who asked for exactly that. The time range is
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
    def labelled(self) -> bool:
        """Whether it asks for labels."""
        return bool(self.any_labels or self.all_labels)

    def admits(self, memory: Memory) -> bool:
        """Tell whether the memory is within this filter's identities. Time is left to the engine, which has
        it exactly where a document of other software comes back rounded."""
        return (
            (self.user_id is None or memory.user_id == self.user_id)
            and (not self.session_ids or memory.session_id in self.session_ids)
            and memory.session_id not in self.exclude_session_ids
            and (not self.roles or memory.role in self.roles)
            and (not self.any_labels or not set(self.any_labels).isdisjoint(memory.labels))
            and (not self.all_labels or set(self.all_labels).issubset(memory.labels))
        )

    def admits_time(self, memory: Memory) -> bool:
        """Tell whether the memory is within this filter's times."""
        return (self.start is None or memory.timestamp >= self.start) and (
            self.end is None or memory.timestamp < self.end
        )

    def between(self, start: int | None, end: int | None) -> "Filter | None":
        """This filter within a further range of times; None when nothing can pass it."""
        starts = [one for one in (self.start, start) if one is not None]
        ends = [one for one in (self.end, end) if one is not None]
        first, last = max(starts, default=None), min(ends, default=None)
        if first is not None and last is not None and first >= last:
            return None
        return replace(self, start=first, end=last)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one session, `start <= timestamp < end`."""

    user_id: str
    session_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory as a search found it: its cosine distance (0 to 2) from the query, None where nothing was embedded, and
    the stems of its content where they were asked for. A search for ranking alone reads no content: `memory` is then
    the heading, and Engine.read brings the rest."""

    slot: str
    memory: Memory
    distance: float | None = None
    terms: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[int, str, str]:
        """Where it stands in the order of time: by timestamp, then by id."""
        return (self.memory.timestamp, self.memory.id, self.slot)

    @property
    def similarity(self) -> float:
        """Cosine similarity, -1 to 1; 0 where nothing was embedded."""
        return 0.0 if self.distance is None else 1.0 - self.distance


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What an index is asked to be. `algorithms` and `layout` None: as it is already, or for a new one both algorithms
    and the engine's default."""

    name: str
    dimension: int
    embedding_model: str
    algorithms: frozenset[Algorithm] | None = None
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What an index is. `embedding_model` None: made by other software and not adopted yet.

    `extended` are the algorithms whose part has the fields for labels and words, `expiring` those whose part can leave
    out expired memories by itself. `reports_missing_shards` tells whether its engine can be asked to fail where it
    would answer in part. `revision` changes whenever the index is dropped or created; empty when other software created
    it.
    """

    name: str
    dimension: int
    embedding_model: str | None
    algorithms: frozenset[Algorithm]
    ready: bool
    memory_count: int
    indexing_failures: int
    extended: frozenset[Algorithm] = frozenset()
    layout: Layout = Layout.JSON
    expiring: frozenset[Algorithm] = frozenset()
    revision: str = ""
    reports_missing_shards: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a drop has removed: memories deleted, and keys under the prefix that are no memories and were kept."""

    deleted: int
    kept: int


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One engine index of an index as it was found: its algorithm, fields and counts."""

    algorithm: str
    dimension: int
    metric: str
    data_type: str
    key_type: str
    prefixes: tuple[str, ...]
    fields: frozenset[tuple[str, str, str]]
    ready: bool
    memory_count: int
    indexing_failures: int
    reports_missing_shards: bool
