"""What is asked of a search and what it answers."""

from dataclasses import dataclass, replace
from enum import StrEnum

from memory_service.domain.types import Algorithm, Embedding, Filter, IndexInfo, Memory

DEFAULT_TEXT_WEIGHT = 0.5
DEFAULT_RECENCY_WEIGHT = 0.2


class Mode(StrEnum):
    """What makes a memory relevant."""

    VECTOR = "VECTOR"
    TEXT = "TEXT"
    HYBRID = "HYBRID"


@dataclass(frozen=True, slots=True)
class Recency:
    """`half_life` in microseconds."""

    half_life: int
    weight: float = DEFAULT_RECENCY_WEIGHT


@dataclass(frozen=True, slots=True)
class ContextSize:
    """Memories before and after a hit."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: a text, or an embedding, or with HYBRID both; and how to rank what is found. The contract
    documents each option (SearchRequest)."""

    where: Filter
    k: int
    text: str = ""
    embedding: Embedding | None = None
    embedding_model: str = ""
    min_score: float | None = None
    mode: Mode = Mode.VECTOR
    text_weight: float = DEFAULT_TEXT_WEIGHT
    neighbor_weight: float | None = None
    recency: Recency | None = None
    diversity: float | None = None
    exclude_ids: frozenset[str] = frozenset()
    context: ContextSize | None = None
    partial_allowed: bool = False
    ef_runtime: int | None = None
    degraded_allowed: bool = False

    def by_words(self) -> "Query":
        """The same without an embedding."""
        return replace(self, mode=Mode.TEXT, min_score=None, ef_runtime=None, degraded_allowed=False)

    @property
    def plain(self) -> bool:
        """Whether cosine similarity alone decides."""
        return self.mode is Mode.VECTOR and not (self.neighbor_weight or self.recency or self.diversity)


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that was found, with what its rank is made of; None where the query did not ask for it."""

    slot: str
    memory: Memory
    rank_score: float
    distance: float | None
    text_score: float | None = None
    recency_score: float | None = None
    context: tuple[Memory, ...] = ()
    context_hit_id: str = ""
    context_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a search says of its answer, beside the hits. Times are in seconds; `engine_time` includes the ranking.
    `partial`: some shards are missing; `degraded`: the query's text could not be embedded; `query_truncated`: the
    embedding model read only its beginning."""

    candidate_count: int
    below_min_score_count: int
    nearest_score: float | None
    index: IndexInfo
    algorithm: Algorithm
    partial: bool
    embedding_time: float
    engine_time: float
    degraded: bool = False
    query_terms: tuple[str, ...] = ()
    common_terms: tuple[str, ...] = ()
    query_truncated: bool = False
