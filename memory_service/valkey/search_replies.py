"""Sends searches, in one round trip, and answers in part where a cluster has lost shards and the caller allows it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from memory_service.domain.deadline import remaining
from memory_service.domain.errors import Unavailable
from memory_service.domain.ports import IndexChanged, SearchOptions
from memory_service.domain.types import Algorithm, IndexInfo
from memory_service.valkey.documents import FIELDS
from memory_service.valkey.errors import (
    CommandRefused,
    document_or_none,
    incomplete,
    says_incomplete,
    says_missing,
    says_null_field,
)
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.queries import Command, Searching
from memory_service.valkey.replies import join_search_replies
from memory_service.valkey.schema import part_name

_PIPELINE = 100
_ANY_FIELD = (*FIELDS, "terms")

_LONGEST_SEARCH = 60.0
"""Seconds: valkey-search takes no longer TIMEOUT."""
_SHARE_OF_PARTS = 0.2
"""Of the time that is left: how long to wait for the parts of an answer. A search makes several in turn."""
_ENDS_BEFORE = 0.9
"""Of the time of a search in a cluster: valkey-search needs some more than its TIMEOUT."""

Commands = Callable[[Searching], Sequence[Command]]


class SearchReplies:
    """The replies of the engine to searches of one part of an index."""

    def __init__(self, commands: IndexCommands, *, timeout: float) -> None:
        """`timeout` in seconds bounds one search, the call's deadline permitting."""
        self._commands = commands
        self._timeout = min(timeout, _LONGEST_SEARCH)

    async def of(self, index: IndexInfo, algorithm: Algorithm, options: SearchOptions, commands: Commands) -> list[Any]:
        """The replies to searches; asked again without the shards that are unavailable, where such an answer will do.

        Raises:
            IndexChanged: the index is another one by now, or its part is gone.
            Unavailable, Exhausted, DeadlineExceeded: the engine did not answer.
        """
        cluster = self._commands.connections.cluster
        # What may be asked twice leaves time for that.
        twice = options.partial_allowed and cluster
        seconds = remaining(self._timeout) * (0.4 if twice else 1.0)
        search = Searching(
            part_name(index.name, algorithm),
            max(1, int(seconds * 1000)),
            all_shards=index.reports_missing_shards,
            path=layout_of(index.layout).path,
        )
        if not options.partial:
            asked = commands(search)
            if cluster:
                # One after another on one connection, which each holds for as long while a shard is silent: together
                # they shall end before nobody waits for them any longer, or the next call meets them there.
                asked = commands(replace(search, timeout_ms=max(1, int(search.timeout_ms * _ENDS_BEFORE / len(asked)))))
            try:
                async with asyncio.timeout(seconds if twice else None):
                    return await self._commands.run_all(index, asked)
            except CommandRefused as error:
                if says_missing(error):
                    raise IndexChanged(index.name) from error
                if says_null_field(error):
                    return await self._field_by_field(index, commands(replace(search, bare=True)))
                if not says_incomplete(error):
                    raise
                if not twice:
                    raise incomplete() from error
            except (TimeoutError, Unavailable):
                if not twice:
                    raise
        options.partial = True
        return await self._partial(replace(search, all_shards=False, one_node=True), commands)

    async def _field_by_field(self, index: IndexInfo, bare: Sequence[Command]) -> list[Any]:
        """The replies to searches that return no fields, with the fields read from the documents: GLIDE cannot convert
        the reply of RediSearch when a document of other software has null in a field."""
        replies = await self._commands.run_all(index, bare)
        layout = layout_of(index.layout)
        for reply in replies:
            if len(reply) > 1:
                keys = [key.decode() for key in reply[1]]
                read: list[Any] = []
                for start in range(0, len(keys), _PIPELINE):
                    lot = [layout.read_row(key, _ANY_FIELD) for key in keys[start : start + _PIPELINE]]
                    read += await self._commands.run_each(index, lot)
                rows = [layout.decode_row(_ANY_FIELD, document_or_none(one)) for one in read]
                reply[1] = {
                    key: {**(computed or {}), **row}
                    for (key, computed), row in zip(reply[1].items(), rows, strict=True)
                }
        return replies

    async def _partial(self, search: Searching, commands: Commands) -> list[Any]:
        """The replies of the shards that are there, joined. valkey-search itself would wait for the others for longer
        than callers do, whatever its TIMEOUT, and then not report that they are missing."""
        within = remaining(self._timeout) * _SHARE_OF_PARTS
        parts = await self._commands.connections.run_on_each(commands(search), within=within)
        return [join_search_replies(replies) for replies in zip(*parts, strict=True)]
