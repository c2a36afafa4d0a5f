"""Reranks the most relevant candidates by recency and diversity."""

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from memory_service.domain import ranking
from memory_service.domain.candidates import RERANKED
from memory_service.domain.query import Query, Recency
from memory_service.domain.relevance import RankedCandidates
from memory_service.domain.types import Embedding, now

ReadEmbeddings = Callable[[Sequence[str]], Awaitable[list[Embedding | None]]]
"""Returns the embeddings of storage ids, in their order; None for a memory that no longer exists."""


async def rerank(query: Query, ranked: RankedCandidates, read_embeddings: ReadEmbeddings) -> RankedCandidates:
    """Return the k hits: the most relevant candidates, or the ones that recency and diversity select."""
    if query.recency is None and query.diversity is None:
        return ranked.first(query.k)
    ranked = ranked.first(max(RERANKED, query.k))
    if query.recency is not None:
        ranked = _by_recency(ranked, query.recency)
    if query.diversity is not None and ranked.candidates:
        ranked = await _by_diversity(ranked, query.diversity, query.k, read_embeddings)
    return ranked.first(query.k)


def _by_recency(ranked: RankedCandidates, recency: Recency) -> RankedCandidates:
    timestamps = [candidate.memory.timestamp for candidate in ranked.candidates]
    ranked.recency = ranking.recency_scores(timestamps, recency.half_life, now())
    ranked.rank = (1 - recency.weight) * ranking.normalize(ranked.rank) + recency.weight * ranked.recency
    return ranked.best(len(ranked.candidates))


async def _by_diversity(
    ranked: RankedCandidates, diversity: float, k: int, read_embeddings: ReadEmbeddings
) -> RankedCandidates:
    embeddings = await read_embeddings([candidate.storage_id for candidate in ranked.candidates])
    ranked = ranked.rows([row for row, embedding in enumerate(embeddings) if embedding is not None])
    vectors = [embedding for embedding in embeddings if embedding is not None]
    if not vectors:
        return ranked
    picks = ranking.diversify(ranking.normalize(ranked.rank), vectors, diversity, k)
    ranked = ranked.rows([row for row, _ in picks])
    ranked.rank = np.array([value for _, value in picks])
    return ranked
