"""How candidates are ranked: BM25 over words, neighbors in a session, recency, diversity. Arrays are float64, one row a
candidate.

BM25 is Robertson and Zaragoza's (2009) with Anserini's k1 = 0.9 and b = 0.4. Counting a neighbor's words at a lower
weight before the saturation of BM25 is what BM25F does for the fields of a document.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_service.domain.context import NEIGHBORHOOD
from memory_service.domain.types import Candidate, Embedding

Numbers = NDArray[np.float64]

K1 = 0.9
B = 0.4
REACH = 2
"""How many turns away a neighbor still counts."""


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """Which candidate is whose neighbor: for each distance from 1 to REACH, the rows before and after each row, -1
    where there is none."""

    rows: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]

    @classmethod
    def of(cls, stretches: Sequence[Candidate], size: int) -> "Neighborhood":
        """The neighborhood among the first `len(stretches)` of `size` candidates, which are whole stretches of their
        sessions; the others have no neighbors."""
        order = sorted(range(len(stretches)), key=lambda row: _place(stretches[row]))
        rows = []
        for distance in range(1, REACH + 1):
            before, after = np.full(size, -1), np.full(size, -1)
            for earlier, later in zip(order, order[distance:], strict=False):
                if _near(stretches[earlier], stretches[later]):
                    before[later], after[earlier] = earlier, later
            rows.append((before, after))
        return cls(tuple(rows))

    def added(self, values: Numbers, weights: Sequence[float]) -> Numbers:
        """Each row's values plus its neighbors', those at distance j at the j-th weight. Shape as given."""
        padded = np.concatenate([values, np.zeros_like(values[:1])])
        total = values.copy()
        for weight, (before, after) in zip(weights, self.rows, strict=True):
            total += weight * (padded[before] + padded[after])
        return total


def text_scores(
    candidates: Sequence[Candidate],
    terms: Sequence[str],
    frequencies: Sequence[int],
    total: int,
    *,
    neighborhood: Neighborhood | None = None,
    neighbor_weight: float = 0.0,
) -> Numbers:
    """BM25 of each candidate for the terms, of which `frequencies` of `total` memories have each; with a neighborhood,
    of the candidate and its neighbors together. The average length is that of the candidates."""
    counts = np.array([[one.terms.count(term) for term in terms] for one in candidates], np.float64)
    counts = counts.reshape(len(candidates), len(terms))  # Also when there are none.
    lengths = np.array([len(one.terms) for one in candidates], np.float64)
    if neighborhood is not None:
        weights = [neighbor_weight**distance for distance in range(1, REACH + 1)]
        counts, lengths = neighborhood.added(counts, weights), neighborhood.added(lengths, weights)
    having = np.minimum(np.array(frequencies, np.float64), total)
    rarity = np.log(1 + (total - having + 0.5) / (having + 0.5))
    norm = K1 * (1 - B + B * lengths / max(float(lengths.sum()) / max(len(candidates), 1), 1.0))
    scores: Numbers = (counts * (K1 + 1) / (counts + norm[:, None])) @ rarity
    return scores


def similarities(
    candidates: Sequence[Candidate], *, neighborhood: Neighborhood | None = None, neighbor_weight: float = 0.0
) -> Numbers:
    """Cosine similarity of each candidate; with a neighborhood, its neighbors' added."""
    own = np.array([one.similarity for one in candidates], np.float64)
    if neighborhood is None:
        return own
    return neighborhood.added(own, [neighbor_weight ** (distance + 1) for distance in range(1, REACH + 1)])


def fused(similarity: Numbers, text: Numbers, *, text_weight: float) -> Numbers:
    """Both kinds of relevance as one, each as a share of its highest."""
    return (1 - text_weight) * share(similarity) + text_weight * share(text)


def share(values: Numbers) -> Numbers:
    """Values as shares of the highest, 0 to 1; negative ones are 0."""
    highest = float(values.max(initial=0.0))
    return np.maximum(values, 0.0) / highest if highest > 0 else np.zeros_like(values)


def recency_scores(timestamps: Sequence[int], half_life: int, now: int) -> Numbers:
    """0.5 ^ (age / half_life), ages at least 0; times in microseconds."""
    ages = np.maximum(now - np.array(timestamps, np.float64), 0.0)
    scores: Numbers = np.exp2(-ages / half_life)
    return scores


def diverse(relevance: Numbers, embeddings: Sequence[Embedding], diversity: float, k: int) -> list[tuple[int, float]]:
    """The rows of the k that maximal marginal relevance (Carbonell and Goldstein, 1998) picks, in its order, each with
    its value when it was picked: `(1 - diversity) * relevance - diversity * nearest`, `nearest` being its highest
    cosine similarity to those picked before it, 0 for the first."""
    matrix = np.stack(embeddings)
    nearest = np.full(len(relevance), -np.inf)
    open_rows = np.ones(len(relevance), bool)
    picked: list[tuple[int, float]] = []
    for _ in range(min(k, len(relevance))):
        penalty = nearest if picked else np.zeros_like(nearest)
        values = np.where(open_rows, (1 - diversity) * relevance - diversity * penalty, -np.inf)
        row = int(values.argmax())
        picked.append((row, float(values[row])))
        open_rows[row] = False
        nearest = np.maximum(nearest, matrix @ matrix[row])
    return picked


def _place(candidate: Candidate) -> tuple[str, str, int, str, str]:
    return (candidate.memory.user_id, candidate.memory.session_id, *candidate.place)


def _near(earlier: Candidate, later: Candidate) -> bool:
    return (
        earlier.memory.user_id == later.memory.user_id
        and earlier.memory.session_id == later.memory.session_id
        and later.memory.timestamp - earlier.memory.timestamp <= NEIGHBORHOOD
    )
