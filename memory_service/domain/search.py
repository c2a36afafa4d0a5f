"""The use case Search: from a query to ranked hits.

Each search runs these steps: embed the query (here) while its terms are counted, find candidates (candidates.py), rank
them by relevance (relevance.py, ranking.py), rerank them (reranking.py), and read the hits (search_results.py). A plain
KNN search needs a single engine command; its candidates are the hits.
"""

import asyncio
import time
from dataclasses import replace

from memory_service.domain import ranking
from memory_service.domain.candidates import CandidateSearch
from memory_service.domain.deadline import remaining
from memory_service.domain.embeddings import EmbeddedText, check_dimension
from memory_service.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    ResourceExhausted,
    Unavailable,
)
from memory_service.domain.fairness import FairBudget, Grant
from memory_service.domain.indexes import Indexes
from memory_service.domain.ports import Embedder, MemorySearch, MemoryStore
from memory_service.domain.query import Mode, Query, SearchSummary
from memory_service.domain.relevance import NO_TERMS, QueryTerms, RankedCandidates
from memory_service.domain.reranking import rerank
from memory_service.domain.search_results import SearchResults
from memory_service.domain.sizes import MEMORY_READ_BYTES, READ_BATCH
from memory_service.domain.types import IndexInfo

_MAX_WAIT = 5.0
"""Seconds that a search waits for memory."""


class _EmbedderUnavailable(Exception):
    """The embedder is unavailable and the query allows a degraded answer."""

    def __init__(self, error: MemoryServiceError) -> None:
        super().__init__(error.message)
        self.error = error


class Searches:
    """Searches the memories of one engine with one embedder."""

    def __init__(
        self, search: MemorySearch, store: MemoryStore, embedder: Embedder, indexes: Indexes, budget: FairBudget
    ) -> None:
        """`budget` is the memory for results, in bytes."""
        self._search = search
        self._store = store
        self._embedder = embedder
        self._indexes = indexes
        self._budget = budget

    async def search(self, index: str, query: Query) -> tuple[SearchSummary, SearchResults]:
        """Return a summary and the results, best first. The caller must close the results.

        Raises:
            NotFound, FailedPrecondition, InvalidRequest: the index is missing, or has another model or dimension.
            ResourceExhausted: the results of other searches use all the memory.
        """
        return await self._indexes.retry_if_changed(index, lambda info: self._search_or_degrade(info, query))

    async def _search_or_degrade(self, info: IndexInfo, query: Query) -> tuple[SearchSummary, SearchResults]:
        """Search; if the embedder is unavailable and the query allows it, search by words instead."""
        try:
            return await self._search_index(info, query)
        except _EmbedderUnavailable as unavailable:
            error = unavailable.error
        try:
            summary, results = await self._search_index(info, query.as_text_query())
        except FailedPrecondition:
            raise error from None  # The index has no field for words.
        return replace(summary, degraded=True), results

    async def _search_index(self, info: IndexInfo, query: Query) -> tuple[SearchSummary, SearchResults]:
        started = time.perf_counter()
        candidate_search = CandidateSearch(self._search, info, query)
        embedded, embedding_time, query_terms = await self._prepare(info, query, candidate_search)
        # Contents are read in batches of this size, for any k.
        batch = min(query.result_count, READ_BATCH)
        grant = await self._budget.acquire(batch * MEMORY_READ_BYTES, max_wait=remaining(_MAX_WAIT))
        try:
            ranked, has_content = await self._candidates(query, candidate_search, embedded, query_terms)
            matching = _above_min_score(ranked, query.min_score)
            results = await self._results(info, query, matching, candidate_search, grant, has_content=has_content)
        except BaseException:
            grant.release()
            raise
        nearest = [candidate.similarity for candidate in ranked.candidates if candidate.distance is not None]
        summary = SearchSummary(
            candidate_count=len(ranked.candidates),
            below_min_score_count=len(ranked.candidates) - len(matching.candidates),
            nearest_score=max(nearest, default=None),
            index=info,
            algorithm=self._search.algorithm_for(info, query.where),
            partial=candidate_search.partial,
            embedding_time=embedding_time,
            engine_time=time.perf_counter() - started - embedding_time,
            query_terms=tuple(word[0] for word in query_terms.words),
            common_terms=tuple(word[0] for word in query_terms.words[query_terms.rare :]),
            query_truncated=embedded is not None and embedded.truncated,
        )
        return summary, results

    async def _prepare(
        self, info: IndexInfo, query: Query, candidate_search: CandidateSearch
    ) -> tuple[EmbeddedText | None, float, QueryTerms]:
        """Embed the query and count its terms, as its mode needs. Also return the seconds that embedding took."""
        if query.mode is Mode.TEXT:
            return None, 0.0, await candidate_search.query_terms()
        if query.mode is Mode.VECTOR:
            return *await self._embed(info, query), NO_TERMS
        embed, count = self._embed(info, query), candidate_search.query_terms()
        (embedded, embedding_time), query_terms = await asyncio.gather(embed, count)
        return embedded, embedding_time, query_terms

    async def _embed(self, info: IndexInfo, query: Query) -> tuple[EmbeddedText, float]:
        """Check that the query's embedding fits the index. Return it and the seconds that embedding took."""
        if query.embedding is not None:
            self._indexes.check_model(info, query.embedding_model)
            check_dimension(query.embedding, index=info.name, dimension=info.dimension, field="query_embedding")
            return EmbeddedText(query.embedding), 0.0
        self._indexes.check_model(info, self._embedder.model)
        started = time.perf_counter()
        try:
            return await self._embedder.embed(query.text), time.perf_counter() - started
        except InvalidRequest as error:
            raise error.for_field("query_text") from error
        except (Unavailable, ResourceExhausted) as error:
            if query.allow_degraded:
                raise _EmbedderUnavailable(error) from error
            raise

    async def _candidates(
        self, query: Query, candidate_search: CandidateSearch, embedded: EmbeddedText | None, query_terms: QueryTerms
    ) -> tuple[RankedCandidates, bool]:
        """Return the candidates, most relevant first, and whether they include their content."""
        embedding = None if embedded is None else embedded.embedding
        if embedding is None or not query.is_plain_knn:
            return await candidate_search.ranked(embedding, query_terms), False
        candidates, has_content = await candidate_search.nearest_hits(embedding)
        return RankedCandidates(candidates, ranking.similarities(candidates)), has_content

    async def _results(
        self,
        info: IndexInfo,
        query: Query,
        ranked: RankedCandidates,
        candidate_search: CandidateSearch,
        grant: Grant,
        *,
        has_content: bool,
    ) -> SearchResults:
        """Rerank the candidates and read the first hits, with their context if requested."""
        reranked = await rerank(query, ranked, lambda storage_ids: self._store.embeddings(info, storage_ids))
        results = SearchResults(self._store, info, query.where, reranked.hits(), self._budget, grant)
        if query.context is not None:
            await results.find_context(candidate_search, query.context)
        await results.read_batch(has_content=has_content)
        return results


def _above_min_score(ranked: RankedCandidates, min_score: float | None) -> RankedCandidates:
    if min_score is None:
        return ranked
    return ranked.rows([row for row, candidate in enumerate(ranked.candidates) if candidate.similarity >= min_score])
