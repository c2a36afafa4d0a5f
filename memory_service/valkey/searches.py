"""The search port on Valkey: FT.SEARCH on the most suitable part of an index."""

from collections.abc import Sequence
from dataclasses import replace

from memory_service.domain.ports import SearchOptions, SearchReply
from memory_service.domain.sizes import READ_BATCH
from memory_service.domain.types import Algorithm, Candidate, Embedding, Filter, IndexInfo, Memory, Span, now
from memory_service.valkey.connections import Connections
from memory_service.valkey.documents import HEADER_FIELDS, MEMORY_FIELDS
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.index_parts import choose_filter_part, choose_part
from memory_service.valkey.queries import (
    MATCH_ALL,
    RANKING_FIELDS,
    Command,
    SearchTarget,
    count_command,
    filter_command,
    filter_text,
    knn_command,
    spans_text,
    without_expired,
)
from memory_service.valkey.replies import parse_search
from memory_service.valkey.schema import key_prefix
from memory_service.valkey.search_replies import SearchReplies
from memory_service.valkey.sorted_search import SortedSearch
from memory_service.valkey.visible_results import IsVisible, VisibleResults, is_visible

_MAX_TIES = 100
"""Number of memories with nearly the same time in one session that are considered for a context."""
_TIME_ROUNDING = 5_000
"""Microseconds by which RediSearch may round the time of a document of other software."""


class ValkeySearches:
    """Searches memories. Every result is checked against the filter again, as engines may interpret it differently."""

    def __init__(self, connections: Connections, *, ef_runtime: int = 1000, search_timeout: float = 10.0) -> None:
        """`ef_runtime` is the default effort of an HNSW search; with the engines' own default of 10 recall is low.
        `search_timeout` in seconds limits one search, in addition to the deadline of the call."""
        self._commands = IndexCommands(connections)
        self._replies = SearchReplies(self._commands, timeout=search_timeout)
        self._results = VisibleResults(self._replies)
        self._sorted = SortedSearch(self._commands, self._results)
        self._ef_runtime = ef_runtime

    def algorithm_for(self, index: IndexInfo, where: Filter) -> Algorithm:
        """Return FLAT within one user and HNSW over all users, or the only part that is suitable.

        Within one user, FLAT is exact and 8 to 15 times faster than a filtered HNSW search: the engine filters first
        and computes only the distances of the matches.
        """
        preferred = Algorithm.HNSW if where.user_id is None else Algorithm.FLAT
        return choose_part(index, preferred, needs_text=where.uses_labels)

    async def search(
        self, index: IndexInfo, where: Filter, embedding: Embedding, k: int, options: SearchOptions
    ) -> SearchReply[list[Candidate]]:
        algorithm = self.algorithm_for(index, where)
        query, visible = filter_text(where), is_visible(where)
        if k <= READ_BATCH:
            reply = await self._knn(index, algorithm, query, embedding, k, MEMORY_FIELDS, options, visible)
            return replace(reply, has_content=True)
        # The contents of all k results could have any size. The first batch also returns the total.
        unexpired, effort = _unexpired(index, algorithm, query), self._effort(algorithm, options)

        def first_batch(target: SearchTarget) -> list[Command]:
            return [
                knn_command(
                    target, unexpired, embedding, k, ef_runtime=effort, returned=MEMORY_FIELDS, limit=READ_BATCH
                )
            ]

        first = await self._replies.fetch(index, algorithm, options, first_batch)
        [result] = first.value
        if int(result[0]) <= READ_BATCH:
            candidates = [candidate for candidate in parse_search(result, key_prefix(index.name)) if visible(candidate)]
            return SearchReply(candidates, first.partial, has_content=True)
        return await self._knn(index, algorithm, query, embedding, k, HEADER_FIELDS, options, visible)

    async def nearest(
        self,
        index: IndexInfo,
        where: Filter,
        embedding: Embedding,
        k: int,
        options: SearchOptions,
        terms: Sequence[str] = (),
    ) -> SearchReply[list[Candidate]]:
        algorithm = choose_filter_part(index, where, terms) if terms else self.algorithm_for(index, where)
        query = filter_text(where, terms)
        return await self._knn(index, algorithm, query, embedding, k, RANKING_FIELDS, options, is_visible(where))

    async def matching(
        self, index: IndexInfo, where: Filter, limit: int, options: SearchOptions, terms: Sequence[str] = ()
    ) -> SearchReply[list[Candidate]]:
        algorithm = choose_filter_part(index, where, terms)
        query = filter_text(where, terms) or MATCH_ALL
        return await self._filter_only(index, algorithm, query, limit, options, is_visible(where))

    async def around(
        self, index: IndexInfo, spans: Sequence[Span], embedding: Embedding | None, limit: int, options: SearchOptions
    ) -> SearchReply[list[Candidate]]:
        if not (text := spans_text(spans)):
            return SearchReply([])
        algorithm = choose_part(index, Algorithm.FLAT)
        sessions = {(span.user_id, span.session_id) for span in spans}

        def visible(candidate: Candidate) -> bool:
            return (
                candidate.memory.user_id,
                candidate.memory.session_id,
            ) in sessions and not candidate.memory.is_expired()

        if embedding is None:
            return await self._filter_only(index, algorithm, f"({text})", limit, options, visible)
        return await self._knn(index, algorithm, f"({text})", embedding, limit, RANKING_FIELDS, options, visible)

    async def counts(self, index: IndexInfo, filters: Sequence[Filter]) -> list[int]:
        algorithm = choose_part(index, Algorithm.FLAT, needs_text=any(filter_.uses_labels for filter_ in filters))
        queries = [filter_text(filter_) for filter_ in filters]
        return (await self._counts(index, algorithm, queries, SearchOptions())).value

    async def frequencies(
        self, index: IndexInfo, where: Filter, words: Sequence[Sequence[str]], options: SearchOptions
    ) -> SearchReply[list[int]]:
        queries = [filter_text(where), *(filter_text(where, word) for word in words)]
        return await self._counts(index, choose_filter_part(index, where, words), queries, options)

    async def ordered(self, index: IndexInfo, where: Filter, limit: int, *, newest_first: bool) -> list[Candidate]:
        algorithm = choose_filter_part(index, where)
        query = _unexpired(index, algorithm, filter_text(where) or MATCH_ALL)
        return await self._sorted.fetch(index, algorithm, query, where, limit, newest_first=newest_first)

    async def neighbors(
        self, index: IndexInfo, memories: Sequence[Memory], before: int, after: int, options: SearchOptions
    ) -> SearchReply[list[list[Candidate]]]:
        if not memories:
            return SearchReply([])
        algorithm = choose_part(index, Algorithm.FLAT)
        sessions = [Filter(memory.user_id, (memory.session_id,)) for memory in memories]

        def commands(target: SearchTarget) -> list[Command]:
            """Three searches per memory: for memories before it, at the same time, and after it."""
            searches = []
            for session, memory in zip(sessions, memories, strict=True):
                first, last = memory.timestamp - _TIME_ROUNDING, memory.timestamp + _TIME_ROUNDING
                for limit, start, end in ((before, None, first), (_MAX_TIES, first, last), (after, last, None)):
                    query = _unexpired(index, algorithm, filter_text(replace(session, start=start, end=end)))
                    newest_first = start is None
                    searches.append(
                        filter_command(target, query, max(limit, 1), returned=HEADER_FIELDS, newest_first=newest_first)
                    )
            return searches

        reply = await self._replies.fetch(index, algorithm, options, commands)
        prefix = key_prefix(index.name)
        neighbors = [
            [
                candidate
                for result in reply.value[3 * number : 3 * number + 3]
                for candidate in filter(is_visible(session), parse_search(result, prefix))
            ]
            for number, session in enumerate(sessions)
        ]
        return SearchReply(neighbors, reply.partial)

    async def _counts(
        self, index: IndexInfo, algorithm: Algorithm, queries: Sequence[str], options: SearchOptions
    ) -> SearchReply[list[int]]:
        """Count the unexpired memories that match each query."""
        unexpired = [_unexpired(index, algorithm, query or MATCH_ALL) for query in queries]
        reply = await self._replies.fetch(
            index, algorithm, options, lambda target: [count_command(target, query) for query in unexpired]
        )
        return SearchReply([int(result[0]) for result in reply.value], reply.partial)

    async def _knn(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        query: str,
        embedding: Embedding,
        k: int,
        returned: Sequence[str],
        options: SearchOptions,
        visible: IsVisible,
    ) -> SearchReply[list[Candidate]]:
        """Return the k nearest visible memories that match a query."""
        effort, unexpired = self._effort(algorithm, options), _unexpired(index, algorithm, query)

        def build(target: SearchTarget, count: int) -> Command:
            return knn_command(target, unexpired, embedding, count, ef_runtime=effort, returned=returned)

        return await self._results.fetch(
            index, algorithm, options, k, build, visible, max_count=index.capabilities.max_k
        )

    async def _filter_only(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        query: str,
        limit: int,
        options: SearchOptions,
        visible: IsVisible,
    ) -> SearchReply[list[Candidate]]:
        """Return any `limit` visible memories that match a query."""
        unexpired = _unexpired(index, algorithm, query)

        def build(target: SearchTarget, count: int) -> Command:
            return filter_command(target, unexpired, count, returned=RANKING_FIELDS)

        return await self._results.fetch(
            index, algorithm, options, limit, build, visible, max_count=index.capabilities.count_limit
        )

    def _effort(self, algorithm: Algorithm, options: SearchOptions) -> int | None:
        return (options.ef_runtime or self._ef_runtime) if algorithm is Algorithm.HNSW else None


def _unexpired(index: IndexInfo, algorithm: Algorithm, query: str) -> str:
    """Return the query without expired memories, if the part can exclude them."""
    return without_expired(query, now()) if algorithm in index.expiry_parts else query
