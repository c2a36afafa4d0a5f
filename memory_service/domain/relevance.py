"""The relevance of each candidate to the query, and candidates in rank order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memory_service.domain import ranking
from memory_service.domain.query import Hit, Mode, Query
from memory_service.domain.ranking import Neighborhood, Numbers
from memory_service.domain.text_analysis import QueryWord
from memory_service.domain.types import Candidate


@dataclass(slots=True)
class QueryTerms:
    """The words of a query, rarest first, with the number of memories out of `total` that contain each.

    The first `rare` words find candidates; the others only affect the rank.
    """

    words: list[QueryWord]
    frequencies: list[int]
    total: int
    rare: int


NO_TERMS = QueryTerms([], [], 0, 0)


@dataclass(slots=True)
class RankedCandidates:
    """Candidates with their rank and its parts, one row per candidate."""

    candidates: list[Candidate]
    rank: Numbers
    text: Numbers | None = None
    recency: Numbers | None = None

    def rows(self, order: Sequence[int]) -> "RankedCandidates":
        """Return these rows, in this order."""
        rows = np.array(order, np.intp)
        return RankedCandidates(
            [self.candidates[row] for row in order],
            self.rank[rows],
            None if self.text is None else self.text[rows],
            None if self.recency is None else self.recency[rows],
        )

    def first(self, count: int) -> "RankedCandidates":
        """Return the first `count` rows."""
        return self if len(self.candidates) <= count else self.rows(range(count))

    def best(self, count: int) -> "RankedCandidates":
        """Return the `count` rows of the highest rank, best first, ties by id."""
        order = sorted(range(len(self.candidates)), key=lambda row: (-self.rank[row], self.candidates[row].memory.id))
        return self.rows(order[:count])

    def hits(self) -> list[Hit]:
        """Return the candidates as hits."""
        return [
            Hit(
                storage_id=candidate.storage_id,
                memory=candidate.memory,
                rank_score=float(self.rank[row]),
                distance=candidate.distance,
                text_score=None if self.text is None else float(self.text[row]),
                recency_score=None if self.recency is None else float(self.recency[row]),
            )
            for row, candidate in enumerate(self.candidates)
        ]


def relevance(
    query: Query, query_terms: QueryTerms, candidates: list[Candidate], neighborhood: Neighborhood | None
) -> RankedCandidates:
    """Return the candidates in the given order, with their relevance to the query as their rank."""
    weight = (query.neighbor_weight or 0.0) if neighborhood is not None else 0.0
    text = None
    if query.mode is not Mode.VECTOR:
        text = ranking.text_scores(
            candidates,
            query_terms.words,
            query_terms.frequencies,
            query_terms.total,
            neighborhood=neighborhood,
            neighbor_weight=weight,
        )
    if query.mode is Mode.TEXT and text is not None:
        return RankedCandidates(candidates, text, text)
    similarity = ranking.similarities(candidates, neighborhood=neighborhood, neighbor_weight=weight)
    if text is None:
        return RankedCandidates(candidates, similarity)
    return RankedCandidates(candidates, ranking.fuse(similarity, text, text_weight=query.text_weight), text)
