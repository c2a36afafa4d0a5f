"""What the domain speaks of. Times are integers, microseconds since 1970-01-01 UTC; embeddings are float32 arrays."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]
"""One embedding: shape (dimension,), float32, unit length."""


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


@dataclass(frozen=True, slots=True)
class Memory:
    """One stored chat message. `role` is None only for a document of other software with a role that we do not know."""

    id: str
    user_id: str
    session_id: str
    role: Role | None
    content: str
    timestamp: int


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

    def admits(self, memory: Memory) -> bool:
        """Tell whether the memory is within this filter's identities. Time is left to the engine, which has it exactly
        where a document of other software comes back rounded."""
        return (
            (self.user_id is None or memory.user_id == self.user_id)
            and (not self.session_ids or memory.session_id in self.session_ids)
            and (not self.roles or memory.role in self.roles)
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory with its cosine distance (0 to 2) from the query, as the engine found it."""

    memory: Memory
    distance: float

    @property
    def score(self) -> float:
        """Cosine similarity, -1 to 1."""
        return 1.0 - self.distance


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What an index is asked to be. `algorithms` None: as it is already, or both for a new one."""

    name: str
    dimension: int
    embedding_model: str
    algorithms: frozenset[Algorithm] | None = None


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What an index is. `embedding_model` None: made by other software and not adopted yet.

    `reports_missing_shards` tells whether its engine can be asked to fail where it would answer in part.
    """

    name: str
    dimension: int
    embedding_model: str | None
    algorithms: frozenset[Algorithm]
    ready: bool
    memory_count: int
    indexing_failures: int
    reports_missing_shards: bool = field(default=False, compare=False)


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
