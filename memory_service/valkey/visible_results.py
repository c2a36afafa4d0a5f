"""Fetches results until enough of them are visible to the caller."""

from collections.abc import Callable
from typing import Any

from memory_service.domain.ports import SearchOptions, SearchReply
from memory_service.domain.types import Algorithm, Candidate, Filter, IndexInfo
from memory_service.valkey.queries import Command, SearchTarget
from memory_service.valkey.replies import parse_search
from memory_service.valkey.schema import key_prefix
from memory_service.valkey.search_replies import SearchReplies

BuildSearch = Callable[[SearchTarget, int], Command]
"""Builds a search for a number of results."""
IsVisible = Callable[[Candidate], bool]


def is_visible(where: Filter) -> IsVisible:
    """Return a check that a candidate matches the filter and has not expired."""
    return lambda candidate: where.matches(candidate.memory) and not candidate.memory.is_expired()


class VisibleResults:
    """Fetches results; invisible ones do not count against the limit.

    An expired key that still exists is invisible, and so is a document of other software that matches by accident.
    """

    def __init__(self, replies: SearchReplies) -> None:
        self._replies = replies

    async def fetch(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        options: SearchOptions,
        limit: int,
        build: BuildSearch,
        visible: IsVisible,
        *,
        max_count: int,
        on_result: Callable[[Any], None] | None = None,
    ) -> SearchReply[list[Candidate]]:
        """Return the first `limit` visible results.

        The search is repeated with a larger count, up to `max_count`, until the engine has no more results. `on_result`
        receives each raw result.
        """
        count = limit
        while True:
            reply = await self._replies.fetch(index, algorithm, options, lambda target: [build(target, count)])  # noqa: B023
            [result] = reply.value
            if on_result is not None:
                on_result(result)
            candidates = [candidate for candidate in parse_search(result, key_prefix(index.name)) if visible(candidate)]
            if len(candidates) >= limit or int(result[0]) < count or count >= max_count:
                return SearchReply(candidates[:limit], reply.partial)
            count = min(max_count, 2 * count + limit)
