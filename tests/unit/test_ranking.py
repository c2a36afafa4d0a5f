"""Ranking functions against independent implementations of their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain import context
from memory_service.domain.embeddings import unit_length
from memory_service.domain.ranking import (
    K1,
    B,
    Neighborhood,
    diversify,
    fuse,
    normalize,
    recency_scores,
    similarities,
    text_scores,
)
from memory_service.domain.types import Candidate, Memory, Role

WORDS = st.sampled_from("abcde")


def candidate(
    storage_id: str, *terms: str, session: str = "s", time: int = 0, distance: float | None = None
) -> Candidate:
    return Candidate(storage_id, Memory(storage_id, "u", session, Role.USER, "", time), distance, terms)


def bm25(terms: list[str], counts: dict[str, float], length: float, average: float, df: list[int], total: int) -> float:
    score = 0.0
    for term, frequency in zip(terms, df, strict=True):
        rarity = math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
        count = counts.get(term, 0.0)
        score += rarity * count * (K1 + 1) / (count + K1 * (1 - B + B * length / average))
    return score


texts = st.lists(st.lists(WORDS, max_size=8), min_size=1, max_size=8)


@given(texts, st.lists(WORDS, unique=True, max_size=4))
def test_text_scores_are_bm25(several: list[list[str]], query: list[str]) -> None:
    df = [sum(term in text for text in several) for term in query]
    scores = text_scores(
        [candidate(f"{n}", *text) for n, text in enumerate(several)], [(term,) for term in query], df, len(several)
    )
    average = max(sum(map(len, several)) / len(several), 1.0)
    for text, score in zip(several, scores, strict=True):
        counts = {term: float(text.count(term)) for term in query}
        assert score == pytest.approx(bm25(query, counts, len(text), average, df, len(several)))


@given(texts, st.lists(WORDS, unique=True, min_size=1, max_size=3), st.floats(0.1, 1), st.data())
def test_neighbors_count_with_their_weight_within_their_session(
    several: list[list[str]], query: list[str], weight: float, data: st.DataObject
) -> None:
    sessions = data.draw(st.lists(st.sampled_from(["s", "t"]), min_size=len(several), max_size=len(several)))
    rows = [candidate(f"{n}", *text, session=sessions[n], time=n, distance=0.5) for n, text in enumerate(several)]
    order = data.draw(st.permutations(rows))
    df = [sum(term in text for text in several) for term in query]
    near = Neighborhood.of(order, len(order))
    scores = text_scores(
        order, [(term,) for term in query], df, len(several), neighborhood=near, neighbor_weight=weight
    )
    similar = similarities(order, neighborhood=near, neighbor_weight=weight)

    def around(row: Candidate) -> list[tuple[Candidate, int]]:
        same = [one for one in rows if one.memory.session_id == row.memory.session_id]
        place = same.index(row)
        return [(one, abs(n - place)) for n, one in enumerate(same) if abs(n - place) <= 2]

    lengths = [sum(len(one.terms) * weight**far for one, far in around(row)) for row in order]
    average = max(sum(lengths) / len(lengths), 1.0)
    for row, length, score, one_similar in zip(order, lengths, scores, similar, strict=True):
        counts = {term: sum(one.terms.count(term) * weight**far for one, far in around(row)) for term in query}
        assert score == pytest.approx(bm25(query, counts, length, average, df, len(several)))
        expected = sum(0.5 * (weight ** (far + 1) if far else 1.0) for _, far in around(row))
        assert one_similar == pytest.approx(expected)


def test_a_message_an_hour_later_is_not_a_neighbor() -> None:
    hour = context.NEIGHBORHOOD
    rows = [candidate("a", distance=0.5), candidate("b", time=hour, distance=0.5)]
    rows += [candidate("c", time=2 * hour + 1, distance=0.5)]
    near = Neighborhood.of(rows, 3)
    assert list(similarities(rows, neighborhood=near, neighbor_weight=1.0)) == [1.0, 1.0, 0.5]


numbers = st.lists(st.floats(-1, 1), min_size=1, max_size=20).map(lambda values: np.array(values, np.float64))


@given(numbers)
def test_normalized_scores_are_shares_of_the_highest(values: np.ndarray) -> None:
    shares = normalize(values)
    assert ((shares >= 0) & (shares <= 1)).all()
    if values.max() > 0:
        assert shares.max() == 1
        assert shares == pytest.approx(np.maximum(values, 0) / values.max())


@given(numbers, st.floats(0, 1))
def test_fused_scores_lie_between_their_parts(values: np.ndarray, weight: float) -> None:
    text = values[::-1]
    both = fuse(values, text, text_weight=weight)
    low, high = np.minimum(normalize(values), normalize(text)), np.maximum(normalize(values), normalize(text))
    assert ((both >= low - 1e-9) & (both <= high + 1e-9)).all()


@given(st.integers(1, 10**15), st.integers(0, 10**15))
def test_recency_scores_halve_per_half_life(half_life: int, age: int) -> None:
    now = 2 * 10**15
    fresh, aged, future = recency_scores([now, now - age, now + 5], half_life, now)
    assert (fresh, future) == (1.0, 1.0)
    assert aged == pytest.approx(0.5 ** (age / half_life))


@given(st.integers(1, 8), st.floats(0, 1), st.integers(1, 10), st.integers(0, 2**32))
def test_diversity_picks_by_maximal_marginal_relevance(count: int, diversity: float, k: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    vectors = [unit_length(one) for one in chance.normal(size=(count, 4)).astype(np.float32)]
    relevance = chance.random(count)
    picked: list[int] = []
    for row, value in diversify(relevance, vectors, diversity, k):
        values = {
            other: (1 - diversity) * relevance[other]
            - diversity * max((float(vectors[other] @ vectors[one]) for one in picked), default=0.0)
            for other in set(range(count)) - set(picked)
        }
        assert value == pytest.approx(values[row], abs=1e-5)
        assert value == pytest.approx(max(values.values()), abs=1e-5)
        picked.append(row)
    assert len(picked) == min(k, count)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6, unique=True), st.integers(0, 3), st.integers(0, 3))
def test_overlapping_context_windows_are_merged_into_the_best_hit(hits: list[int], before: int, after: int) -> None:
    session = [candidate(f"{n:02}", time=n) for n in range(31)]
    windows = [context.window(f"{hit:02}", session, before, after) for hit in hits]
    assert [[int(one.storage_id) for one in found] for found in windows] == [
        [n for n in range(hit - before, hit + after + 1) if 0 <= n <= 30] for hit in hits
    ]
    joined = context.merge_windows(windows)
    ids_by_hit = [[int(one.storage_id) for one in memories] for _, memories in joined]
    merged = [n for number, (owner, _) in enumerate(joined) if owner == number for n in ids_by_hit[number]]
    assert len(merged) == len(set(merged)), "no message is returned twice"
    assert set(merged) == {int(one.storage_id) for found in windows for one in found}
    for number, (owner, memories) in enumerate(joined):
        assert owner <= number
        assert bool(memories) == (owner == number)
        assert hits[number] in ids_by_hit[owner]
    for group in ids_by_hit:
        assert group == sorted(group)


@given(st.integers(0, 3), st.integers(0, 3))
def test_text_scores_have_one_row_per_candidate(count: int, terms: int) -> None:
    candidates = [Candidate(str(n), Memory(str(n), "u", "s", Role.USER, "", 0), 0.5, ("a",)) for n in range(count)]
    scores = text_scores(candidates, [("a",)] * terms, [1] * terms, 3)
    assert scores.shape == (count,)
