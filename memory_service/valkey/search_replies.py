"""Sends searches to one part of an index, and falls back to partial answers or to reading fields one by one."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from memory_service.domain.deadline import remaining
from memory_service.domain.errors import Unavailable
from memory_service.domain.ports import IndexChanged, SearchOptions, SearchReply
from memory_service.domain.types import Algorithm, IndexInfo
from memory_service.valkey.documents import MEMORY_FIELDS
from memory_service.valkey.errors import (
    CommandRefused,
    document_or_none,
    incomplete_search,
    is_incomplete,
    is_missing_index,
    is_null_field,
)
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.queries import Command, SearchTarget
from memory_service.valkey.replies import join_search_replies
from memory_service.valkey.schema import part_name

_PIPELINE = 100
_ALL_FIELDS = (*MEMORY_FIELDS, "terms")

_MAX_TIMEOUT = 60.0
"""Seconds; valkey-search accepts no longer TIMEOUT."""
_FIRST_ATTEMPT_SHARE = 0.4
"""Share of the remaining time for a complete answer, if a partial one would be accepted after it."""
_PARTIAL_SHARE = 0.2
"""Share of the remaining time to wait for a partial answer. A search may need several of them in turn."""
_CLUSTER_TIMEOUT_SHARE = 0.9
"""Share of the time that becomes the TIMEOUT in a cluster; valkey-search exceeds it by a little."""

Commands = Callable[[SearchTarget], Sequence[Command]]
"""Builds the commands of one or more searches."""


class SearchReplies:
    """Returns the replies to searches of one part of an index."""

    def __init__(self, commands: IndexCommands, *, timeout: float) -> None:
        """`timeout` in seconds limits one search, in addition to the deadline of the call."""
        self._commands = commands
        self._timeout = min(timeout, _MAX_TIMEOUT)

    async def fetch(
        self, index: IndexInfo, algorithm: Algorithm, options: SearchOptions, commands: Commands
    ) -> SearchReply[list[Any]]:
        """Return the replies to searches. If shards are unavailable and the options allow it, retry without them.

        Raises:
            IndexChanged: the index was dropped or recreated, or its part is missing.
            Unavailable, ResourceExhausted, DeadlineExceeded: the engine did not answer.
        """
        cluster = self._commands.connections.cluster
        may_retry = options.allow_partial and cluster
        seconds = remaining(self._timeout) * (_FIRST_ATTEMPT_SHARE if may_retry else 1.0)
        target = SearchTarget(
            part_name(index.name, algorithm),
            max(1, int(seconds * 1000)),
            all_shards=index.capabilities.reports_missing_shards,
            path=layout_of(index.layout).path,
        )
        if not options.available_shards_only:
            try:
                async with asyncio.timeout(seconds if may_retry else None):
                    return SearchReply(await self._complete(index, target, commands))
            except CommandRefused as error:
                if not is_incomplete(error):
                    raise
                if not may_retry:
                    raise incomplete_search() from error
            except (TimeoutError, Unavailable):
                if not may_retry:
                    raise
        return SearchReply(await self._from_available_shards(target, commands), partial=True)

    async def _complete(self, index: IndexInfo, target: SearchTarget, commands: Commands) -> list[Any]:
        """Return the replies of all shards."""
        searches = commands(target)
        if self._commands.connections.cluster:
            # The commands run one after the other on one connection, and each blocks it while a shard is silent. They
            # must all end before the call's deadline; otherwise the next call finds the connection blocked.
            share = _CLUSTER_TIMEOUT_SHARE / len(searches)
            searches = commands(replace(target, timeout_ms=max(1, int(target.timeout_ms * share))))
        try:
            return await self._commands.run_all(index, searches)
        except CommandRefused as error:
            if is_missing_index(error):
                raise IndexChanged(index.name) from error
            if is_null_field(error):
                return await self._field_by_field(index, commands(replace(target, bare=True)))
            raise

    async def _field_by_field(self, index: IndexInfo, bare_searches: Sequence[Command]) -> list[Any]:
        """Run searches that return no fields, then read the fields from the documents.

        GLIDE cannot convert a RediSearch reply if a document of other software has null in a field.
        """
        replies = await self._commands.run_all(index, bare_searches)
        layout = layout_of(index.layout)
        for reply in replies:
            if len(reply) > 1:
                keys = [key.decode() for key in reply[1]]
                documents: list[Any] = []
                for start in range(0, len(keys), _PIPELINE):
                    reads = [layout.read_row(key, _ALL_FIELDS) for key in keys[start : start + _PIPELINE]]
                    documents += await self._commands.run_each(index, reads)
                rows = [layout.decode_row(_ALL_FIELDS, document_or_none(document)) for document in documents]
                reply[1] = {
                    key: {**(computed or {}), **row}
                    for (key, computed), row in zip(reply[1].items(), rows, strict=True)
                }
        return replies

    async def _from_available_shards(self, target: SearchTarget, commands: Commands) -> list[Any]:
        """Return the joined replies of the available shards.

        valkey-search itself would ignore its TIMEOUT, wait for missing shards longer than callers do, and then not
        report that they are missing.
        """
        timeout = remaining(self._timeout) * _PARTIAL_SHARE
        searches = commands(replace(target, all_shards=False, one_node=True))
        by_shard = await self._commands.connections.run_on_each_primary(searches, timeout=timeout)
        return [join_search_replies(replies) for replies in zip(*by_shard, strict=True)]
