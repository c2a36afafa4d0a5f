"""Searches whose results are sorted by timestamp."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from memory_service.domain.ports import SearchOptions
from memory_service.domain.types import Algorithm, Candidate, Filter, IndexInfo
from memory_service.valkey.documents import HEADER_FIELDS
from memory_service.valkey.errors import CommandRefused, document_or_none, is_unsortable
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.queries import Command, SearchTarget, filter_command
from memory_service.valkey.replies import lacks_field
from memory_service.valkey.schema import key_prefix
from memory_service.valkey.visible_results import VisibleResults, is_visible


class SortedSearch:
    """Sorts in the engine if it can, otherwise here."""

    def __init__(self, commands: IndexCommands, results: VisibleResults) -> None:
        self._commands = commands
        self._results = results

    async def fetch(
        self, index: IndexInfo, algorithm: Algorithm, query: str, where: Filter, limit: int, *, newest_first: bool
    ) -> list[Candidate]:
        """Return the first `limit` visible results by timestamp, with header fields; ties in any order."""
        try:
            return await self._fetch(index, algorithm, query, where, limit, newest_first=newest_first)
        except CommandRefused as error:
            if not is_unsortable(error):
                raise
        limit_here = index.capabilities.count_limit
        unsorted = await self._fetch(index, algorithm, query, where, limit_here, newest_first=None)
        return sorted(unsorted, key=lambda candidate: candidate.sort_key, reverse=newest_first)[:limit]

    async def _fetch(
        self,
        index: IndexInfo,
        algorithm: Algorithm,
        query: str,
        where: Filter,
        limit: int,
        *,
        newest_first: bool | None,
    ) -> list[Candidate]:
        """Return results sorted by the engine; with `newest_first` None in any order."""
        last_result: list[Any] = []

        def build(target: SearchTarget, count: int) -> Command:
            return filter_command(target, query, count, returned=HEADER_FIELDS, newest_first=newest_first)

        def keep_last(result: Sequence[Any]) -> None:
            last_result[:] = result

        reply = await self._results.fetch(
            index,
            algorithm,
            SearchOptions(),
            limit,
            build,
            is_visible(where),
            max_count=index.capabilities.count_limit,
            on_result=keep_last,
        )
        # RediSearch rounds the timestamps of documents that lack timestamp_us.
        if lacks_field(last_result, f"{layout_of(index.layout).path}timestamp_us"):
            return await self._with_exact_times(index, reply.value)
        return reply.value

    async def _with_exact_times(self, index: IndexInfo, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Read the exact timestamps from the documents. Candidates that no longer exist are left out."""
        layout = layout_of(index.layout)
        reads = [layout.read(key_prefix(index.name) + candidate.storage_id) for candidate in candidates]
        replies = await self._commands.run_each(index, reads)
        memories = [
            layout.decode(candidate.storage_id, document_or_none(reply))
            for candidate, reply in zip(candidates, replies, strict=True)
        ]
        return [
            replace(candidate, memory=replace(candidate.memory, timestamp=memory.timestamp))
            for candidate, memory in zip(candidates, memories, strict=True)
            if memory is not None
        ]
