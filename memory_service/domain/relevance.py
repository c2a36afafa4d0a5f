"""How relevant each candidate of a search is to the query, and candidates in the order of their rank."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memory_service.domain import ranking
from memory_service.domain.query import Hit, Mode, Query
from memory_service.domain.ranking import Neighborhood, Numbers
from memory_service.domain.types import Candidate


@dataclass(slots=True)
class Words:
    """The stems of a query, rarest first, with the number of memories that have each. The first `rare` ones find
    candidates."""

    terms: list[str]
    frequencies: list[int]
    total: int
    rare: int


NO_WORDS = Words([], [], 0, 0)


@dataclass(slots=True)
class Ranked:
    """Candidates in the order of their rank, row by row."""

    candidates: list[Candidate]
    rank: Numbers
    text: Numbers | None = None
    recency: Numbers | None = None

    def rows(self, order: Sequence[int]) -> "Ranked":
        """Those in these rows, in this order."""
        rows = np.array(order, np.intp)
        return Ranked(
            [self.candidates[row] for row in order],
            self.rank[rows],
            None if self.text is None else self.text[rows],
            None if self.recency is None else self.recency[rows],
        )

    def first(self, most: int) -> "Ranked":
        """So many from the top."""
        return self if len(self.candidates) <= most else self.rows(range(most))

    def best(self, most: int) -> "Ranked":
        """The best, ties in the order of their ids."""
        order = sorted(range(len(self.candidates)), key=lambda row: (-self.rank[row], self.candidates[row].memory.id))
        return self.rows(order[:most])

    def hits(self) -> list[Hit]:
        """The candidates as hits."""
        return [
            Hit(
                slot=one.slot,
                memory=one.memory,
                rank_score=float(self.rank[row]),
                distance=one.distance,
                text_score=None if self.text is None else float(self.text[row]),
                recency_score=None if self.recency is None else float(self.recency[row]),
            )
            for row, one in enumerate(self.candidates)
        ]


def relevance(query: Query, words: Words, candidates: list[Candidate], neighborhood: Neighborhood | None) -> Ranked:
    """The candidates as they came, with their relevance."""
    weight = (query.neighbor_weight or 0.0) if neighborhood is not None else 0.0
    text = None
    if query.mode is not Mode.VECTOR:
        text = ranking.text_scores(
            candidates,
            words.terms,
            words.frequencies,
            words.total,
            neighborhood=neighborhood,
            neighbor_weight=weight,
        )
    if query.mode is Mode.TEXT and text is not None:
        return Ranked(candidates, text, text)
    similarity = ranking.similarities(candidates, neighborhood=neighborhood, neighbor_weight=weight)
    if text is None:
        return Ranked(candidates, similarity)
    return Ranked(candidates, ranking.fused(similarity, text, text_weight=query.text_weight), text)
