"""The search port on Valkey: FT.SEARCH over the part of an index that answers best."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from memory_service.domain.ports import COUNT_LIMIT, SearchOptions
from memory_service.domain.sizes import LOT
from memory_service.domain.types import Algorithm, Candidate, Embedding, Filter, IndexInfo, Memory, Span, now
from memory_service.valkey.connections import Connections
from memory_service.valkey.documents import HEADING
from memory_service.valkey.errors import CommandRefused, document_or_none, says_unsortable
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.index_parts import filtering_part, part
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.queries import (
    EVERYTHING,
    RANKING,
    WHOLE,
    Command,
    Searching,
    count_command,
    filter_command,
    filter_text,
    knn_command,
    spans_text,
    without_expired,
)
from memory_service.valkey.replies import lacks_field, parse_search
from memory_service.valkey.schema import key_prefix
from memory_service.valkey.search_replies import SearchReplies

_TIES = 100
"""Memories of nearly the same time in one session that are looked at for a context."""
_ROUNDING = 5_000
"""Microseconds by which RediSearch can be wrong about the time of a document that other software wrote."""
_LARGEST_K = 10_000
"""The most that valkey-search takes, unless configured otherwise."""

_Find = Callable[[Searching, int], Command]
"""Makes a search for so many hits."""
_Keep = Callable[[Candidate], bool]


class ValkeySearches:
    """Searches of memories. What comes back is checked against the filter's identities once more, whatever the engine
    made of the filter."""

    def __init__(self, connections: Connections, *, ef_runtime: int = 1000, search_timeout: float = 10.0) -> None:
        """`ef_runtime` is the effort of an HNSW search; the engines' default of 10 finds a fraction of the nearest.
        `search_timeout` in seconds bounds one search, the call's deadline permitting."""
        self._commands = IndexCommands(connections)
        self._replies = SearchReplies(self._commands, timeout=search_timeout)
        self._ef_runtime = ef_runtime

    def algorithm_for(self, index: IndexInfo, where: Filter) -> Algorithm:
        """FLAT within one user: the engine filters first and computes only the matching distances, exactly, and 8 to 15
        times faster than by a filtered walk of the graph. HNSW over everyone. Where only one of them can: that one."""
        return part(index, Algorithm.HNSW if where.user_id is None else Algorithm.FLAT, extended=where.labelled)

    async def search(
        self, index: IndexInfo, where: Filter, embedding: Embedding, k: int, options: SearchOptions
    ) -> tuple[list[Candidate], bool]:
        algorithm = self.algorithm_for(index, where)
        within, keep = filter_text(where), _alive(where)
        if k <= LOT:
            return await self._nearest(index, algorithm, within, embedding, k, options, WHOLE, keep), True
        # With all of k the reply could be of any size. How many there are comes with the first of them.
        filtered, effort = _unexpired(index, algorithm, within), self._effort(algorithm, options)

        def first(search: Searching) -> list[Command]:
            return [knn_command(search, filtered, embedding, k, ef_runtime=effort, returned=WHOLE, limit=LOT)]

        [reply] = await self._replies.of(index, algorithm, options, first)
        if int(reply[0]) <= LOT:
            return [one for one in parse_search(reply, key_prefix(index.name)) if keep(one)], True
        return await self._nearest(index, algorithm, within, embedding, k, options, HEADING, keep), False

    async def nearest(
        self,
        index: IndexInfo,
        where: Filter,
        embedding: Embedding,
        k: int,
        options: SearchOptions,
        terms: Sequence[str] = (),
    ) -> list[Candidate]:
        algorithm = filtering_part(index, where, terms) if terms else self.algorithm_for(index, where)
        within = filter_text(where, terms)
        return await self._nearest(index, algorithm, within, embedding, k, options, RANKING, _alive(where))

    async def matching(
        self, index: IndexInfo, where: Filter, limit: int, options: SearchOptions, terms: Sequence[str] = ()
    ) -> list[Candidate]:
        algorithm = filtering_part(index, where, terms)
        within = _unexpired(index, algorithm, filter_text(where, terms) or EVERYTHING)

        def find(search: Searching, count: int) -> Command:
            return filter_command(search, within, count, returned=RANKING)

        return await self._found(index, algorithm, options, limit, find, _alive(where))

    async def around(
        self, index: IndexInfo, spans: Sequence[Span], embedding: Embedding | None, limit: int, options: SearchOptions
    ) -> list[Candidate]:
        if not (text := spans_text(spans)):
            return []
        algorithm = part(index, Algorithm.FLAT)
        scopes = {(span.user_id, span.session_id) for span in spans}

        def keep(one: Candidate) -> bool:
            return (one.memory.user_id, one.memory.session_id) in scopes and not one.memory.expired()

        if embedding is not None:
            return await self._nearest(index, algorithm, f"({text})", embedding, limit, options, RANKING, keep)
        within = _unexpired(index, algorithm, f"({text})")

        def find(search: Searching, count: int) -> Command:
            return filter_command(search, within, count, returned=RANKING)

        return await self._found(index, algorithm, options, limit, find, keep)

    async def counts(self, index: IndexInfo, filters: Sequence[Filter]) -> list[int]:
        algorithm = part(index, Algorithm.FLAT, extended=any(one.labelled for one in filters))
        return await self._counts(index, algorithm, [filter_text(one) for one in filters], SearchOptions())

    async def frequencies(
        self, index: IndexInfo, where: Filter, terms: Sequence[str], options: SearchOptions
    ) -> list[int]:
        queries = [filter_text(where), *(filter_text(where, [term]) for term in terms)]
        return await self._counts(index, filtering_part(index, where, terms), queries, options)

    async def _counts(
        self, index: IndexInfo, algorithm: Algorithm, queries: Sequence[str], options: SearchOptions
    ) -> list[int]:
        """How many memories that have not expired answer each query."""
        asked = [_unexpired(index, algorithm, one or EVERYTHING) for one in queries]
        replies = await self._replies.of(
            index, algorithm, options, lambda search: [count_command(search, one) for one in asked]
        )
        return [int(reply[0]) for reply in replies]

    async def ordered(self, index: IndexInfo, where: Filter, limit: int, *, newest_first: bool) -> list[Candidate]:
        try:
            return await self._ordered(index, where, limit, newest_first=newest_first)
        except CommandRefused as error:
            if not says_unsortable(error):
                raise
        found = await self._ordered(index, where, COUNT_LIMIT, newest_first=None)
        return sorted(found, key=lambda one: one.place, reverse=newest_first)[:limit]

    async def _ordered(
        self, index: IndexInfo, where: Filter, limit: int, *, newest_first: bool | None
    ) -> list[Candidate]:
        """The headings of memories by their timestamps, or with None in any order."""
        algorithm = filtering_part(index, where)
        within = _unexpired(index, algorithm, filter_text(where) or EVERYTHING)
        last_reply: list[Any] = []

        def find(search: Searching, count: int) -> Command:
            return filter_command(search, within, count, returned=HEADING, newest_first=newest_first)

        def parse(reply: list[Any]) -> list[Candidate]:
            last_reply[:] = reply
            return parse_search(reply, key_prefix(index.name))

        found = await self._found(index, algorithm, SearchOptions(), limit, find, _alive(where), parse)
        # RediSearch rounds the timestamps of documents that have nothing better.
        if lacks_field(last_reply, f"{layout_of(index.layout).path}timestamp_us"):
            found = await self._with_exact_times(index, found)
        return found

    async def neighbors(
        self, index: IndexInfo, memories: Sequence[Memory], before: int, after: int, options: SearchOptions
    ) -> list[list[Candidate]]:
        if not memories:
            return []
        algorithm = part(index, Algorithm.FLAT)
        scopes = [Filter(one.user_id, (one.session_id,)) for one in memories]

        def commands(search: Searching) -> list[Command]:
            made = []
            for scope, memory in zip(scopes, memories, strict=True):
                first, last = memory.timestamp - _ROUNDING, memory.timestamp + _ROUNDING
                for limit, start, end in ((before, None, first), (_TIES, first, last), (after, last, None)):
                    within = _unexpired(index, algorithm, filter_text(replace(scope, start=start, end=end)))
                    made.append(
                        filter_command(search, within, max(limit, 1), returned=HEADING, newest_first=start is None)
                    )
            return made

        replies = await self._replies.of(index, algorithm, options, commands)
        prefix = key_prefix(index.name)
        return [
            [one for reply in replies[3 * i : 3 * i + 3] for one in filter(_alive(scope), parse_search(reply, prefix))]
            for i, scope in enumerate(scopes)
        ]

    async def _nearest(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        within: str,
        embedding: Embedding,
        k: int,
        options: SearchOptions,
        returned: Sequence[str],
        keep: _Keep,
    ) -> list[Candidate]:
        effort, filtered = self._effort(algorithm, options), _unexpired(index, algorithm, within)

        def find(search: Searching, count: int) -> Command:
            return knn_command(search, filtered, embedding, count, ef_runtime=effort, returned=returned)

        return await self._found(index, algorithm, options, k, find, keep, most=_LARGEST_K)

    def _effort(self, algorithm: Algorithm, options: SearchOptions) -> int | None:
        return (options.ef_runtime or self._ef_runtime) if algorithm is Algorithm.HNSW else None

    async def _found(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        options: SearchOptions,
        limit: int,
        find: _Find,
        keep: _Keep,
        parse: Callable[[list[Any]], list[Candidate]] | None = None,
        *,
        most: int = COUNT_LIMIT,
    ) -> list[Candidate]:
        """The first `limit` hits that are kept. What nobody may see (an expired key that is still there, a document
        of other software that matches by accident) takes no place: more are asked for then, until the engine has no
        more, or can return no more than `most`."""
        count = limit
        while True:
            [reply] = await self._replies.of(index, algorithm, options, lambda search: [find(search, count)])  # noqa: B023
            found = parse(reply) if parse else parse_search(reply, key_prefix(index.name))
            kept = [one for one in found if keep(one)]
            if len(kept) >= limit or int(reply[0]) < count or count >= most:
                return kept[:limit]
            count = min(most, 2 * count + limit)

    async def _with_exact_times(self, index: IndexInfo, found: Sequence[Candidate]) -> list[Candidate]:
        layout = layout_of(index.layout)
        commands = [layout.read(key_prefix(index.name) + one.slot) for one in found]
        replies = await self._commands.run_each(index, commands)
        read = [layout.decode(one.slot, document_or_none(reply)) for one, reply in zip(found, replies, strict=True)]
        return [
            replace(one, memory=replace(one.memory, timestamp=exact.timestamp))
            for one, exact in zip(found, read, strict=True)
            if exact is not None
        ]


def _unexpired(index: IndexInfo, algorithm: Algorithm, within: str) -> str:
    """The filter without expired memories, where the part can leave them out."""
    return without_expired(within, now()) if algorithm in index.expiring else within


def _alive(where: Filter) -> _Keep:
    return lambda one: where.admits(one.memory) and not one.memory.expired()
