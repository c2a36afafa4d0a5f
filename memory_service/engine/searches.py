"""The search port on Valkey: FT.SEARCH over the part of an index that answers best."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from memory_service.engine.connection import Connections
from memory_service.engine.documents import HEADING
from memory_service.engine.errors import CommandRefused, incomplete, misconfigured, says_incomplete, says_missing
from memory_service.engine.layouts import layout_of
from memory_service.engine.queries import (
    RANKING,
    WHOLE,
    Command,
    Searching,
    count_command,
    expired_before,
    filter_command,
    filter_text,
    knn_command,
    spans_text,
)
from memory_service.engine.replies import join_search_replies, parse_search
from memory_service.engine.schema import key_prefix, part_name
from memory_service.memory.deadline import remaining
from memory_service.memory.errors import FailedPrecondition, Reason, Unavailable, index_not_found
from memory_service.memory.ports import SearchOptions
from memory_service.memory.types import Algorithm, Candidate, Embedding, Filter, IndexInfo, Memory, Span, now

_LONGEST_SEARCH = 60.0
"""Seconds: valkey-search takes no longer TIMEOUT."""
_TIES = 100
"""Memories of nearly the same time in one session that are looked at for a context."""
_SHARE_OF_PARTS = 0.2
"""Of the time that is left: how long to wait for the parts of an answer. A search makes several in turn."""
_ENDS_BEFORE = 0.9
"""Of the time of a search in a cluster: valkey-search needs some more than its TIMEOUT."""
_ROUNDING = 5_000
"""Microseconds by which RediSearch can be wrong about the time of a document that other software wrote."""


class ValkeySearches:
    """Searches of memories. What comes back is checked against the filter's identities once more, whatever the engine
    made of the filter."""

    def __init__(self, connections: Connections, *, ef_runtime: int = 1000, search_timeout: float = 10.0) -> None:
        """`ef_runtime` is the effort of an HNSW search; the engines' default of 10 finds a fraction of the nearest.
        `search_timeout` in seconds bounds one search, the call's deadline permitting."""
        self._connections = connections
        self._ef_runtime = ef_runtime
        self._search_timeout = min(search_timeout, _LONGEST_SEARCH)

    def algorithm_for(self, index: IndexInfo, where: Filter) -> Algorithm:
        """FLAT within one user: the engine filters first and computes only the matching distances, exactly, and 8 to 15
        times faster than by a filtered walk of the graph. HNSW over everyone. Where only one of them can: that one."""
        return _part(index, Algorithm.HNSW if where.user_id is None else Algorithm.FLAT, extended=where.labelled)

    async def search(
        self, index: IndexInfo, where: Filter, embedding: Embedding, k: int, options: SearchOptions
    ) -> list[Candidate]:
        algorithm = self.algorithm_for(index, where)
        found = await self._nearest(index, algorithm, filter_text(where), embedding, k, options, WHOLE)
        return _alive(where, found)

    async def nearest(
        self,
        index: IndexInfo,
        where: Filter,
        embedding: Embedding,
        k: int,
        options: SearchOptions,
        terms: Sequence[str] = (),
    ) -> list[Candidate]:
        algorithm = _filtering_part(index, where, terms) if terms else self.algorithm_for(index, where)
        found = await self._nearest(index, algorithm, filter_text(where, terms), embedding, k, options, RANKING)
        return _alive(where, found)

    async def matching(
        self, index: IndexInfo, where: Filter, limit: int, options: SearchOptions, terms: Sequence[str] = ()
    ) -> list[Candidate]:
        within = filter_text(where, terms)
        algorithm = _filtering_part(index, where, terms)
        found = await self._find(
            index, algorithm, options, lambda search: filter_command(search, within, limit, returned=RANKING)
        )
        return [one for one in found if where.admits(one.memory)]

    async def around(
        self, index: IndexInfo, spans: Sequence[Span], embedding: Embedding | None, limit: int, options: SearchOptions
    ) -> list[Candidate]:
        within = spans_text(spans)
        if not within:
            return []
        algorithm = _part(index, Algorithm.FLAT)
        if embedding is None:
            found = await self._find(
                index, algorithm, options, lambda search: filter_command(search, within, limit, returned=RANKING)
            )
        else:
            found = await self._nearest(index, algorithm, within, embedding, limit, options, RANKING)
        scopes = {(span.user_id, span.session_id) for span in spans}
        return [
            one for one in found if (one.memory.user_id, one.memory.session_id) in scopes and not one.memory.expired()
        ]

    async def counts(self, index: IndexInfo, filters: Sequence[Filter]) -> list[int]:
        algorithm = _part(index, Algorithm.FLAT, extended=any(one.labelled for one in filters))
        queries = [filter_text(one) for one in filters]
        return await self._counts(index, algorithm, queries, len(queries), SearchOptions())

    async def frequencies(
        self, index: IndexInfo, where: Filter, terms: Sequence[str], options: SearchOptions
    ) -> list[int]:
        queries = [filter_text(where), *(filter_text(where, [term]) for term in terms)]
        return await self._counts(index, _filtering_part(index, where, terms), queries, 1, options)

    async def _counts(
        self, index: IndexInfo, algorithm: Algorithm, queries: Sequence[str], alive: int, options: SearchOptions
    ) -> list[int]:
        """How many memories answer each query; of the first `alive` without those whose time is over, which an engine
        counts until it gets round to removing them."""
        over = [f"{one} {expired_before(now())}".lstrip() for one in queries[:alive]]
        asked = [*queries, *(over if algorithm in index.extended else [])]
        replies = await self._replies(
            index, algorithm, options, lambda search: [count_command(search, one) for one in asked]
        )
        found = [int(reply[0]) for reply in replies]
        gone = found[len(queries) :]
        return [count - less for count, less in zip_longest(found[: len(queries)], gone, fillvalue=0)]

    async def ordered(self, index: IndexInfo, where: Filter, limit: int, *, newest_first: bool) -> list[Candidate]:
        within = filter_text(where)
        [reply] = await self._replies(
            index,
            _filtering_part(index, where),
            SearchOptions(),
            lambda search: [filter_command(search, within, limit, returned=HEADING, newest_first=newest_first)],
        )
        found = parse_search(reply, key_prefix(index.name))
        # RediSearch rounds the timestamps of documents that have nothing better.
        exactly = f"{layout_of(index.layout).path}timestamp_us".encode()
        if any(exactly not in fields for fields in (reply[1] if len(reply) > 1 else {}).values()):
            exact = await self._exact_times(index, [one.slot for one in found])
            found = [
                replace(one, memory=replace(one.memory, timestamp=time)) for one, time in zip(found, exact, strict=True)
            ]
        return [one for one in found if where.admits(one.memory)]

    async def neighbors(
        self, index: IndexInfo, memories: Sequence[Memory], before: int, after: int, options: SearchOptions
    ) -> list[list[Candidate]]:
        if not memories:
            return []
        scopes = [Filter(one.user_id, (one.session_id,)) for one in memories]

        def commands(search: Searching) -> list[Command]:
            made = []
            for scope, memory in zip(scopes, memories, strict=True):
                first, last = memory.timestamp - _ROUNDING, memory.timestamp + _ROUNDING
                for limit, start, end in ((before, None, first), (_TIES, first, last), (after, last, None)):
                    within = filter_text(replace(scope, start=start, end=end))
                    made.append(
                        filter_command(search, within, max(limit, 1), returned=WHOLE, newest_first=start is None)
                    )
            return made

        replies = await self._replies(index, _part(index, Algorithm.FLAT), options, commands)
        prefix = key_prefix(index.name)
        return [
            [one for reply in replies[3 * i : 3 * i + 3] for one in _alive(scope, parse_search(reply, prefix))]
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
    ) -> list[Candidate]:
        effort = (options.ef_runtime or self._ef_runtime) if algorithm is Algorithm.HNSW else None

        def command(search: Searching) -> Command:
            return knn_command(search, within, embedding, k, ef_runtime=effort, returned=returned)

        return (await self._find(index, algorithm, options, command))[:k]

    async def _find(
        self, index: IndexInfo, algorithm: Algorithm, options: SearchOptions, command: Callable[[Searching], Command]
    ) -> list[Candidate]:
        [reply] = await self._replies(index, algorithm, options, lambda search: [command(search)])
        return parse_search(reply, key_prefix(index.name))

    async def _replies(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        options: SearchOptions,
        commands: Callable[[Searching], Sequence[Command]],
    ) -> list[Any]:
        """The replies to searches, in one round trip; asked again without the shards that are away, where such an
        answer will do."""
        # What may be asked twice leaves time for that.
        twice = options.partial_allowed and self._connections.cluster
        seconds = remaining(self._search_timeout) * (0.4 if twice else 1.0)
        search = Searching(
            part_name(index.name, algorithm),
            max(1, int(seconds * 1000)),
            all_shards=index.reports_missing_shards,
            path=layout_of(index.layout).path,
        )
        if not options.partial:
            asked = commands(search)
            if self._connections.cluster:
                # One after another on one connection, which each holds for as long while a shard is silent: together
                # they shall end before nobody waits for them any longer, or the next call meets them there.
                asked = commands(replace(search, timeout_ms=max(1, int(search.timeout_ms * _ENDS_BEFORE / len(asked)))))
            try:
                async with asyncio.timeout(seconds if twice else None):
                    return await self._connections.run_all(asked)
            except CommandRefused as error:
                if says_missing(error):
                    raise index_not_found(index.name) from error
                if not says_incomplete(error):
                    raise misconfigured(error) from error
                if not twice:
                    raise incomplete() from error
            except (TimeoutError, Unavailable):
                if not twice:
                    raise
        options.partial = True
        return await self._partial_replies(replace(search, all_shards=False, one_node=True), commands)

    async def _partial_replies(
        self, search: Searching, commands: Callable[[Searching], Sequence[Command]]
    ) -> list[Any]:
        """The replies of the shards that are there, joined. valkey-search itself would wait for the others for longer
        than callers do, whatever its TIMEOUT, and then not tell that they are missing."""
        within = remaining(self._search_timeout) * _SHARE_OF_PARTS
        parts = await self._connections.run_on_each(commands(search), within=within)
        return [join_search_replies(replies) for replies in zip(*parts, strict=True)]

    async def _exact_times(self, index: IndexInfo, slots: Sequence[str]) -> list[int]:
        layout = layout_of(index.layout)
        replies = await self._connections.run_all([layout.read(key_prefix(index.name) + slot) for slot in slots])
        return [0 if one is None else one.timestamp for one in map(layout.decode, slots, replies)]


def _part(index: IndexInfo, preferred: Algorithm, *, extended: bool = False) -> Algorithm:
    """The preferred part, or the one that there is; with `extended` only such as have the fields for labels and words.

    Raises FailedPrecondition (INDEX_LACKS_FIELDS).
    """
    able = index.extended if extended else index.algorithms
    if not able:
        raise FailedPrecondition(
            Reason.INDEX_LACKS_FIELDS,
            f"index {index.name!r} has no fields for labels and words, since other software or an earlier version made "
            "it: DropIndex, which keeps the memories, and EnsureIndex (memory-service drop-index, ensure-index)",
            metadata={"index": index.name},
        )
    return preferred if preferred in able else next(iter(able))


def _filtering_part(index: IndexInfo, where: Filter, terms: Sequence[str] = ()) -> Algorithm:
    """The part for searches without KNN, and with words."""
    return _part(index, Algorithm.FLAT, extended=where.labelled or bool(terms))


def _alive(where: Filter, found: Sequence[Candidate]) -> list[Candidate]:
    return [one for one in found if where.admits(one.memory) and not one.memory.expired()]
