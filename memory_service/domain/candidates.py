"""Finds the candidates of one search: the nearest by embedding, those with the query's words, and their neighbors."""

import asyncio
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from memory_service.domain import context
from memory_service.domain.languages import load_detector
from memory_service.domain.ports import MemorySearch, SearchOptions, SearchReply
from memory_service.domain.query import Mode, Query
from memory_service.domain.ranking import Neighborhood
from memory_service.domain.relevance import QueryTerms, RankedCandidates, relevance
from memory_service.domain.text_analysis import QueryWord, query_words
from memory_service.domain.types import Candidate, Embedding, IndexInfo, Memory

T = TypeVar("T")

RERANKED = 200
"""Number of the most relevant candidates that recency and diversity rerank."""
_NEAREST = 100
"""Number of candidates by embedding."""
_WITH_TERMS = 300
"""Number of candidates by words, in addition to the candidates by embedding. The rarest terms that together match no
more memories than this are used."""
_TEXT_ONLY = 1000
"""The same for a search without an embedding. A single term that is more frequent finds up to twice as many."""
_MAX_QUERY_WORDS = 128
"""Words of a query that are counted. Of more words, the longest are taken, since they are rare."""
_ANCHORS = 20
"""Number of the best candidates whose neighborhoods are ranked too."""
_NEIGHBORS = 1000
"""Upper bound on the memories of these neighborhoods."""


class CandidateSearch:
    """The engine searches of one call. `partial` is True once a reply lacked the results of a shard."""

    def __init__(self, search: MemorySearch, info: IndexInfo, query: Query) -> None:
        self._search = search
        self._info = info
        self._query = query
        self._options = SearchOptions(query.ef_runtime, query.allow_partial)

    @property
    def partial(self) -> bool:
        """Whether any reply so far was partial."""
        return self._options.available_shards_only

    async def query_terms(self) -> QueryTerms:
        """Return the stems of the query text with their frequencies within the filter."""
        query = self._query
        await load_detector(query.text)
        words = _longest(query_words(query.text, has_earlier_terms=self._info.has_earlier_terms))
        reply = await self._search.frequencies(self._info, query.where, words, self._options)
        total, *frequencies = self._value(reply)
        by_frequency = sorted(
            (frequency, word) for frequency, word in zip(frequencies, words, strict=True) if frequency
        )
        cumulative = itertools.accumulate(frequency for frequency, _ in by_frequency)
        limit = max(query.k, _TEXT_ONLY if query.mode is Mode.TEXT else _WITH_TERMS)
        rare = max(1, sum(count <= limit for count in cumulative))
        return QueryTerms([word for _, word in by_frequency], [frequency for frequency, _ in by_frequency], total, rare)

    async def nearest_hits(self, embedding: Embedding) -> tuple[list[Candidate], bool]:
        """Return the k nearest memories for a plain KNN search, and whether they include their content."""
        query = self._query
        reply = await self._search.search(self._info, query.where, embedding, query.result_count, self._options)
        candidates = [candidate for candidate in self._value(reply) if candidate.memory.id not in query.exclude_ids]
        return candidates[: query.k], reply.has_content

    async def ranked(self, embedding: Embedding | None, query_terms: QueryTerms) -> RankedCandidates:
        """Return all candidates for ranking, most relevant first."""
        query = self._query
        candidates = await self._matching_filter(embedding, query_terms)
        within_filter = {candidate.storage_id for candidate in candidates}
        neighborhood = None
        if query.neighbor_weight:
            anchors = relevance(query, query_terms, candidates, None).best(_ANCHORS).candidates
            nearby = await self._neighborhoods([candidate.memory for candidate in anchors], embedding)
            nearby_ids = {candidate.storage_id for candidate in nearby}
            candidates = [*nearby, *(candidate for candidate in candidates if candidate.storage_id not in nearby_ids)]
            neighborhood = Neighborhood.of(nearby, len(candidates))
        ranked = relevance(query, query_terms, candidates, neighborhood)
        rows = [
            row
            for row, candidate in enumerate(ranked.candidates)
            if query.where.matches(candidate.memory)
            and not candidate.memory.is_expired()
            # The engine checked the exact times of candidates within the filter. RediSearch returns rounded times.
            and (candidate.storage_id in within_filter or query.where.matches_time(candidate.memory))
            and candidate.memory.id not in query.exclude_ids
            and (query.mode is not Mode.TEXT or ranked.rank[row] > 0)
        ]
        return ranked.rows(rows).best(len(rows))

    async def neighbors(self, memories: Sequence[Memory], before: int, after: int) -> list[list[Candidate]]:
        """Return, for each memory, the memories before and after it in its session, in any order."""
        return self._value(await self._search.neighbors(self._info, memories, before, after, self._options))

    async def _matching_filter(self, embedding: Embedding | None, query_terms: QueryTerms) -> list[Candidate]:
        """Return the nearest memories and those with the query's rare terms, each once."""
        query = self._query
        rare_terms = [term for word in query_terms.words[: query_terms.rare] for term in word]
        if embedding is None:
            if not rare_terms:
                return []
            limit = max(2 * _TEXT_ONLY, query.result_count)
            return self._value(await self._search.matching(self._info, query.where, limit, self._options, rare_terms))
        reranked = query.recency is not None or query.diversity is not None
        k = max(RERANKED if reranked else _NEAREST, query.result_count)
        searches = [self._search.nearest(self._info, query.where, embedding, k, self._options)]
        if rare_terms:
            k = max(_WITH_TERMS, query.result_count)
            searches.append(self._search.nearest(self._info, query.where, embedding, k, self._options, rare_terms))
        replies = await asyncio.gather(*searches)
        return list({candidate.storage_id: candidate for reply in replies for candidate in self._value(reply)}.values())

    async def _neighborhoods(self, memories: Sequence[Memory], embedding: Embedding | None) -> list[Candidate]:
        """Return the memories in the neighborhoods of these memories."""
        spans = context.spans(memories)
        return self._value(await self._search.around(self._info, spans, embedding, _NEIGHBORS, self._options))

    def _value(self, reply: SearchReply[T]) -> T:
        """Return the reply's value. After a partial reply, later searches do not wait for the missing shards."""
        if reply.partial and not self.partial:
            self._options = replace(self._options, available_shards_only=True)
        return reply.value


def _longest(words: list[QueryWord]) -> list[QueryWord]:
    """Return the words, or the longest of too many. Those of the same length are taken from all parts of the text."""
    if len(words) <= _MAX_QUERY_WORDS:
        return words
    return sorted(words, key=lambda word: (-len(word[0]), zlib.crc32(word[0].encode())))[:_MAX_QUERY_WORDS]
