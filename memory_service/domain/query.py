"""The query of a search, and its hits and summary."""

from dataclasses import dataclass, replace
from enum import StrEnum

from memory_service.domain.types import Algorithm, Embedding, Filter, IndexInfo, Memory

DEFAULT_TEXT_WEIGHT = 0.5
DEFAULT_RECENCY_WEIGHT = 0.2


class Mode(StrEnum):
    """The basis of relevance: embeddings, words, or both."""

    VECTOR = "VECTOR"
    TEXT = "TEXT"
    HYBRID = "HYBRID"


@dataclass(frozen=True, slots=True)
class Recency:
    """How much newer memories rank higher. `half_life` is in microseconds."""

    half_life: int
    weight: float = DEFAULT_RECENCY_WEIGHT


@dataclass(frozen=True, slots=True)
class ContextSize:
    """How many memories to return before and after a hit."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for and how to rank it: a text, an embedding, or both with HYBRID.

    SearchRequest in the contract documents each option.
    """

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
    allow_partial: bool = False
    ef_runtime: int | None = None
    allow_degraded: bool = False

    def as_text_query(self) -> "Query":
        """Return the same query without its embedding."""
        return replace(self, mode=Mode.TEXT, min_score=None, ef_runtime=None, allow_degraded=False)

    @property
    def is_plain_knn(self) -> bool:
        """Whether cosine similarity alone decides the rank."""
        return self.mode is Mode.VECTOR and not (self.neighbor_weight or self.recency or self.diversity)

    @property
    def result_count(self) -> int:
        """How many results the engine must return, so that k remain without the excluded ids."""
        return self.k + len(self.exclude_ids)


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a search, with the parts of its rank. A part is None if the query did not use it."""

    storage_id: str
    memory: Memory
    rank_score: float
    distance: float | None
    text_score: float | None = None
    recency_score: float | None = None
    context: tuple[Memory, ...] = ()
    context_hit_id: str = ""
    context_truncated: bool = False


@dataclass(frozen=True, slots=True)
class SearchSummary:
    """Facts about a search that do not belong to a single hit.

    Times are in seconds; `engine_time` includes the ranking. `partial`: a shard is missing. `degraded`: the
    query text could not be embedded. `query_truncated`: the embedding model read only the beginning of the text.
    """

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
