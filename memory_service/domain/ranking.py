"""Ranking formulas: BM25, neighbors in a session, recency and diversity. Arrays are float64, one row per candidate.

BM25 follows Robertson and Zaragoza (2009), with k1 = 0.9 and b = 0.4 as in Anserini. The words of a neighbor count at a
lower weight before BM25 saturates, as BM25F does for the fields of a document.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_service.domain.context import NEIGHBORHOOD
from memory_service.domain.text_analysis import QueryWord, term_count
from memory_service.domain.types import Candidate, Embedding

Numbers = NDArray[np.float64]

K1 = 0.9
B = 0.4
REACH = 2
"""The largest distance of a neighbor that counts, in messages."""


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """The neighbors of each candidate: for each distance from 1 to REACH, the rows before and after each row; -1 for
    none."""

    rows: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]

    @classmethod
    def of(cls, contiguous: Sequence[Candidate], size: int) -> "Neighborhood":
        """Return the neighborhood of `size` candidates. Only the first ones, which are `contiguous` in their
        sessions, have neighbors."""
        order = sorted(range(len(contiguous)), key=lambda row: _session_order(contiguous[row]))
        rows = []
        for distance in range(1, REACH + 1):
            before, after = np.full(size, -1), np.full(size, -1)
            for earlier, later in zip(order, order[distance:], strict=False):
                if _are_close(contiguous[earlier], contiguous[later]):
                    before[later], after[earlier] = earlier, later
            rows.append((before, after))
        return cls(tuple(rows))

    def add_neighbors(self, values: Numbers, weights: Sequence[float]) -> Numbers:
        """Return each row's values plus its neighbors' values at distance j times the j-th weight. Same shape."""
        padded = np.concatenate([values, np.zeros_like(values[:1])])
        total = values.copy()
        for weight, (before, after) in zip(weights, self.rows, strict=True):
            total += weight * (padded[before] + padded[after])
        return total


def text_scores(
    candidates: Sequence[Candidate],
    words: Sequence[QueryWord],
    frequencies: Sequence[int],
    total: int,
    *,
    neighborhood: Neighborhood | None = None,
    neighbor_weight: float = 0.0,
) -> Numbers:
    """Return the BM25 score of each candidate.

    `frequencies` has, for each word, the number of memories out of `total` that contain it. A candidate contains a word
    as often as the most frequent of its terms. The average length is computed over the candidates. With a neighborhood,
    a candidate is scored together with its neighbors.
    """
    counts = np.array(
        [[max(map(candidate.terms.count, word)) for word in words] for candidate in candidates], np.float64
    )
    counts = counts.reshape(len(candidates), len(words))  # Keeps the shape without candidates or words.
    lengths = np.array([term_count(candidate.terms) for candidate in candidates], np.float64)
    if neighborhood is not None:
        weights = [neighbor_weight**distance for distance in range(1, REACH + 1)]
        counts, lengths = neighborhood.add_neighbors(counts, weights), neighborhood.add_neighbors(lengths, weights)
    document_counts = np.minimum(np.array(frequencies, np.float64), total)
    inverse_frequency = np.log(1 + (total - document_counts + 0.5) / (document_counts + 0.5))
    norm = K1 * (1 - B + B * lengths / max(float(lengths.sum()) / max(len(candidates), 1), 1.0))
    scores: Numbers = (counts * (K1 + 1) / (counts + norm[:, None])) @ inverse_frequency
    return scores


def similarities(
    candidates: Sequence[Candidate], *, neighborhood: Neighborhood | None = None, neighbor_weight: float = 0.0
) -> Numbers:
    """Return the cosine similarity of each candidate; with a neighborhood, plus the similarity of its neighbors."""
    own = np.array([candidate.similarity for candidate in candidates], np.float64)
    if neighborhood is None:
        return own
    return neighborhood.add_neighbors(own, [neighbor_weight ** (distance + 1) for distance in range(1, REACH + 1)])


def fuse(similarity: Numbers, text: Numbers, *, text_weight: float) -> Numbers:
    """Combine similarity and text score, each normalized, at the given weight."""
    return (1 - text_weight) * normalize(similarity) + text_weight * normalize(text)


def normalize(values: Numbers) -> Numbers:
    """Scale values to 0 to 1 by the highest one. Negative values become 0."""
    highest = float(values.max(initial=0.0))
    return np.maximum(values, 0.0) / highest if highest > 0 else np.zeros_like(values)


def recency_scores(timestamps: Sequence[int], half_life: int, now: int) -> Numbers:
    """Return 0.5 ^ (age / half_life) for each timestamp, with ages of at least 0. Times are in microseconds."""
    ages = np.maximum(now - np.array(timestamps, np.float64), 0.0)
    scores: Numbers = np.exp2(-ages / half_life)
    return scores


def diversify(relevance: Numbers, embeddings: Sequence[Embedding], diversity: float, k: int) -> list[tuple[int, float]]:
    """Pick k rows by maximal marginal relevance (Carbonell and Goldstein, 1998).

    Returns the rows in the order of the picks, each with its value: `(1 - diversity) * relevance - diversity *
    nearest`. `nearest` is the highest cosine similarity to the rows picked before, 0 for the first.
    """
    matrix = np.stack(embeddings)
    nearest = np.full(len(relevance), -np.inf)
    available = np.ones(len(relevance), bool)
    picked: list[tuple[int, float]] = []
    for _ in range(min(k, len(relevance))):
        penalty = nearest if picked else np.zeros_like(nearest)
        values = np.where(available, (1 - diversity) * relevance - diversity * penalty, -np.inf)
        row = int(values.argmax())
        picked.append((row, float(values[row])))
        available[row] = False
        nearest = np.maximum(nearest, matrix @ matrix[row])
    return picked


def _session_order(candidate: Candidate) -> tuple[str, str, int, str, str]:
    return (candidate.memory.user_id, candidate.memory.session_id, *candidate.sort_key)


def _are_close(earlier: Candidate, later: Candidate) -> bool:
    return (
        earlier.memory.user_id == later.memory.user_id
        and earlier.memory.session_id == later.memory.session_id
        and later.memory.timestamp - earlier.memory.timestamp <= NEIGHBORHOOD
    )
