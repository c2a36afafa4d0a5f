"""The use case Search: from a query to ranked hits.

A plain search by vector is one engine command. Every other one first gathers candidates for ranking (the nearest by
embedding, those that have the query's words, what was said around the best of both), ranks them here, the same way on
every engine, and then reads those that make the answer.
"""

import asyncio
import itertools
import time
from dataclasses import replace

import numpy as np

from memory_service.domain import context, ranking
from memory_service.domain.deadline import remaining
from memory_service.domain.embeddings import EmbeddedText, check_dimension
from memory_service.domain.errors import Exhausted, FailedPrecondition, MemoryServiceError, Unavailable
from memory_service.domain.fairness import FairBudget
from memory_service.domain.indexes import Indexes
from memory_service.domain.ports import Embedder, MemorySearch, MemoryStore, SearchOptions
from memory_service.domain.query import Found, Mode, Query
from memory_service.domain.ranking import Neighborhood
from memory_service.domain.relevance import NO_WORDS, Ranked, Words, relevance
from memory_service.domain.search_results import Answer
from memory_service.domain.sizes import COST, LOT
from memory_service.domain.text_analysis import terms
from memory_service.domain.types import Candidate, Embedding, IndexInfo, now

_NEAREST = 100
"""Candidates by embedding."""
_RERANKED = 200
"""Most relevant candidates among which recency and diversity choose."""
_HAVING = 300
"""Candidates by words beside those by embedding: of the query's rarest words, as long as together they find no more."""
_HAVING_ALONE = 1000
"""The same where nothing is embedded; of one word that more memories have, up to twice as many."""
_MOST_TERMS = 32
_ANCHORS = 20
"""Best candidates whose surroundings are ranked too."""
_AROUND = 1000
_PATIENCE = 5.0
"""Seconds that a search waits for memory."""


class _NotEmbedded(Exception):
    """The embedder is away, and the query allows to do without."""

    def __init__(self, error: MemoryServiceError) -> None:
        super().__init__(error.message)
        self.error = error


class Searches:
    """Searches of the memories of one engine, for one embedder."""

    def __init__(
        self, search: MemorySearch, store: MemoryStore, embedder: Embedder, indexes: Indexes, budget: FairBudget
    ) -> None:
        """`budget` is the memory for answers in bytes."""
        self._search = search
        self._store = store
        self._embedder = embedder
        self._indexes = indexes
        self._budget = budget

    async def search(self, index: str, query: Query) -> tuple[Found, Answer]:
        """The memories that answer the query best, best first, and what is known of them. Close the answer when done.

        Raises:
            NotFound, FailedPrecondition, InvalidRequest: the index is missing, of another model, or another dimension.
            Exhausted: too many other answers take the memory that there is.
        """
        return await self._indexes.retry_if_changed(index, lambda info: self._answer_somehow(info, query))

    async def _answer_somehow(self, info: IndexInfo, query: Query) -> tuple[Found, Answer]:
        try:
            return await self._answer(info, query)
        except _NotEmbedded as not_embedded:
            return await self._by_words(info, query, not_embedded.error)

    async def _by_words(self, info: IndexInfo, query: Query, error: MemoryServiceError) -> tuple[Found, Answer]:
        """The answer without an embedding; from an index that keeps no words, the error that there is none."""
        try:
            found, answer = await self._answer(info, query.by_words())
        except FailedPrecondition:
            raise error from None
        return replace(found, degraded=True), answer

    async def _answer(self, info: IndexInfo, query: Query) -> tuple[Found, Answer]:
        started = time.perf_counter()
        options = SearchOptions(query.ef_runtime, query.partial_allowed)
        if query.mode is Mode.VECTOR:
            (embedded, embedding_time), words = await self._embed(info, query), NO_WORDS
        else:
            (embedded, embedding_time), words = await asyncio.gather(
                self._embed(info, query), self._words(info, query, options)
            )
        embedding = None if embedded is None else embedded.embedding
        # Contents are read in lots of this size, for any k.
        most = min(query.k + len(query.exclude_ids), LOT)
        grant = await self._budget.take(most * COST, patience=remaining(_PATIENCE))
        try:
            ranked, whole = await self._all_ranked(info, query, embedding, words, options)
            candidate_count = len(ranked.candidates)
            nearest = [one.similarity for one in ranked.candidates if one.distance is not None]
            if query.min_score is not None:
                kept = [row for row, one in enumerate(ranked.candidates) if one.similarity >= query.min_score]
                ranked = ranked.rows(kept)
            below = candidate_count - len(ranked.candidates)
            hits = (await self._reranked(info, query, ranked)).hits()
            answer = Answer(self._store, info, query.where, hits, self._budget, grant)
            if query.context is not None:
                await answer.find_context(self._search, query.context, options)
            await answer.read_lot(whole=whole)
        except BaseException:
            grant.release()
            raise
        found = Found(
            candidate_count=candidate_count,
            below_min_score_count=below,
            nearest_score=max(nearest, default=None),
            index=info,
            algorithm=self._search.algorithm_for(info, query.where),
            partial=options.partial,
            embedding_time=embedding_time,
            engine_time=time.perf_counter() - started - embedding_time,
            query_terms=tuple(words.terms),
            common_terms=tuple(words.terms[words.rare :]),
            query_truncated=embedded is not None and embedded.truncated,
        )
        return found, answer

    async def _all_ranked(
        self, info: IndexInfo, query: Query, embedding: Embedding | None, words: Words, options: SearchOptions
    ) -> tuple[Ranked, bool]:
        """The candidates, best first, and whether they are whole."""
        if not query.plain:
            return await self._ranked(info, query, embedding, words, options), False
        assert embedding is not None  # noqa: S101 - only TEXT embeds nothing
        count = query.k + len(query.exclude_ids)
        found, whole = await self._search.search(info, query.where, embedding, count, options)
        candidates = [one for one in found if one.memory.id not in query.exclude_ids][: query.k]
        return Ranked(candidates, ranking.similarities(candidates)), whole

    async def _embed(self, info: IndexInfo, query: Query) -> tuple[EmbeddedText | None, float]:
        """The query's embedding, once it is known to fit the index, and the seconds that it took."""
        if query.mode is Mode.TEXT:
            return None, 0.0
        if query.embedding is not None:
            self._indexes.check_model(info, query.embedding_model)
            check_dimension(query.embedding, index=info.name, dimension=info.dimension, field="query_embedding")
            return EmbeddedText(query.embedding), 0.0
        self._indexes.check_model(info, self._embedder.model)
        started = time.perf_counter()
        try:
            return await self._embedder.embed(query.text), time.perf_counter() - started
        except (Unavailable, Exhausted) as error:
            if query.degraded_allowed:
                raise _NotEmbedded(error) from error
            raise

    async def _words(self, info: IndexInfo, query: Query, options: SearchOptions) -> Words:
        """What the words of the query are worth within its filter; found while the query is being embedded."""
        wanted = list(dict.fromkeys(terms(query.text)))[:_MOST_TERMS]
        total, *frequencies = await self._search.frequencies(info, query.where, wanted, options)
        found = sorted((frequency, term) for frequency, term in zip(frequencies, wanted, strict=True) if frequency)
        together = itertools.accumulate(frequency for frequency, _ in found)
        most = max(query.k, _HAVING_ALONE if query.mode is Mode.TEXT else _HAVING)
        rare = max(1, sum(one <= most for one in together))
        return Words([term for _, term in found], [frequency for frequency, _ in found], total, rare)

    async def _ranked(
        self, info: IndexInfo, query: Query, embedding: Embedding | None, words: Words, options: SearchOptions
    ) -> Ranked:
        """The candidates, best first."""
        candidates = await self._candidates(info, query, embedding, words, options)
        filtered = {one.slot for one in candidates}
        neighborhood = None
        if query.neighbor_weight:
            best = relevance(query, words, candidates, None).best(_ANCHORS)
            around = await self._search.around(
                info, context.spans([one.memory for one in best.candidates]), embedding, _AROUND, options
            )
            stretched = {one.slot for one in around}
            candidates = [*around, *(one for one in candidates if one.slot not in stretched)]
            neighborhood = Neighborhood.of(around, len(candidates))
        ranked = relevance(query, words, candidates, neighborhood)
        wanted = [
            row
            for row, one in enumerate(ranked.candidates)
            if query.where.admits(one.memory)
            and not one.memory.expired()
            # The engine has the times exactly, where RediSearch tells them rounded.
            and (one.slot in filtered or query.where.admits_time(one.memory))
            and one.memory.id not in query.exclude_ids
            and (query.mode is not Mode.TEXT or ranked.rank[row] > 0)
        ]
        return ranked.rows(wanted).best(len(wanted))

    async def _candidates(
        self, info: IndexInfo, query: Query, embedding: Embedding | None, words: Words, options: SearchOptions
    ) -> list[Candidate]:
        count = query.k + len(query.exclude_ids)
        rare = words.terms[: words.rare]
        if embedding is None:
            if not rare:
                return []
            most = max(2 * _HAVING_ALONE, count)
            return await self._search.matching(info, query.where, most, options, rare)
        reranked = query.recency is not None or query.diversity is not None
        nearest = max(_RERANKED if reranked else _NEAREST, count)
        searches = [self._search.nearest(info, query.where, embedding, nearest, options)]
        if rare:
            searches.append(self._search.nearest(info, query.where, embedding, max(_HAVING, count), options, rare))
        return list({one.slot: one for found in await asyncio.gather(*searches) for one in found}.values())

    async def _reranked(self, info: IndexInfo, query: Query, ranked: Ranked) -> Ranked:
        """The hits: the first k, or those that recency and diversity choose."""
        if query.recency is None and query.diversity is None:
            return ranked.first(query.k)
        ranked = ranked.first(max(_RERANKED, query.k))
        if query.recency is not None:
            times = [one.memory.timestamp for one in ranked.candidates]
            ranked.recency = ranking.recency_scores(times, query.recency.half_life, now())
            weight = query.recency.weight
            ranked.rank = (1 - weight) * ranking.share(ranked.rank) + weight * ranked.recency
            ranked = ranked.best(len(ranked.candidates))
        if query.diversity is not None and ranked.candidates:
            embeddings = await self._store.embeddings(info, [one.slot for one in ranked.candidates])
            there = [row for row, embedding in enumerate(embeddings) if embedding is not None]
            ranked = ranked.rows(there)
            vectors = [embedding for embedding in embeddings if embedding is not None]
            if vectors:
                picked = ranking.diverse(ranking.share(ranked.rank), vectors, query.diversity, query.k)
                ranked = ranked.rows([row for row, _ in picked])
                ranked.rank = np.array([value for _, value in picked])
        return ranked.first(query.k)
