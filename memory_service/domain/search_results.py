"""The results of a search, read from the engine in batches, so that they never use more memory than their grant."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from memory_service.domain import context
from memory_service.domain.candidates import CandidateSearch
from memory_service.domain.deadline import remaining
from memory_service.domain.errors import index_busy
from memory_service.domain.fairness import FairBudget, Grant
from memory_service.domain.ports import IndexChanged, MemoryStore
from memory_service.domain.query import ContextSize, Hit
from memory_service.domain.sizes import (
    BYTES_PER_MESSAGE_BYTE,
    MAX_CONTEXT_BYTES,
    MAX_MEMORY_BYTES,
    MEMORY_READ_BYTES,
    READ_BATCH,
    message_size,
)
from memory_service.domain.types import Candidate, Filter, IndexInfo, Memory

_MAX_WAIT = 30.0
"""Seconds that a response in progress waits for memory for its next batch."""
_CONTEXT_BATCH = 20
"""Number of hits whose context is found in one round trip, as header fields."""


class SearchResults:
    """The hits of a search, best first. Close it after use."""

    def __init__(
        self, store: MemoryStore, info: IndexInfo, where: Filter, hits: list[Hit], budget: FairBudget, grant: Grant
    ) -> None:
        """`grant` is a part of `budget` that covers READ_BATCH memories, or all hits if there are fewer."""
        self._store = store
        self._budget = budget
        self._info = info
        self._where = where
        self._hits = hits
        self._grant = grant
        self._next = 0
        self._batch: list[tuple[int, Hit]] = []
        self._read_memories: dict[str, Memory] = {}
        self._windows: list[list[Candidate]] = []
        self._merged: list[tuple[int, tuple[Candidate, ...]]] = []
        self._separate: set[int] = set()
        """Numbers of hits whose merged context does not fit into one message: each hit of the group sends its own."""

    def close(self) -> None:
        """Return the memory to the budget."""
        self._grant.release()

    async def find_context(self, search: CandidateSearch, size: ContextSize) -> None:
        """Find the context of the hits, as header fields, and merge windows that overlap."""
        windows: dict[str, list[Candidate]] = {}
        in_sessions = [hit for hit in self._hits if hit.memory.session_id]
        for start in range(0, len(in_sessions), _CONTEXT_BATCH):
            batch = in_sessions[start : start + _CONTEXT_BATCH]
            neighbors = await search.neighbors([hit.memory for hit in batch], size.before, size.after)
            for hit, nearby in zip(batch, neighbors, strict=True):
                windows[hit.storage_id] = context.window(hit.storage_id, nearby, size.before, size.after)
        self._windows = [windows.get(hit.storage_id) or [Candidate(hit.storage_id, hit.memory)] for hit in self._hits]
        self._merged = context.merge_windows(self._windows)

    async def read_batch(self, *, has_content: bool = False) -> None:
        """Read the next hits. `has_content`: they include their content already.

        Raises IndexChanged.
        """
        batch = list(enumerate(self._hits))[self._next : self._next + READ_BATCH]
        self._next += len(batch)
        memories: Sequence[Memory | None] = [hit.memory for _, hit in batch]
        if not has_content:
            memories = await self._read([hit.storage_id for _, hit in batch], self._where)
        self._batch = [
            (number, replace(hit, memory=memory))
            for (number, hit), memory in zip(batch, memories, strict=True)
            if memory is not None and message_size(memory) <= MAX_MEMORY_BYTES
        ]
        # Other hits must not refer to the context of a hit that is not returned.
        self._separate |= {number for number, _ in batch} - {number for number, _ in self._batch}
        await self._read_contexts()
        if not self._merged:
            self._grant.shrink(sum(BYTES_PER_MESSAGE_BYTE * message_size(hit.memory) for _, hit in self._batch))

    async def hits(self) -> AsyncIterator[Hit]:
        """Yield the hits as they are read."""
        try:
            while True:
                for number, hit in self._batch:
                    yield await self._with_context(number, hit) if self._merged else hit
                if self._next >= len(self._hits):
                    return
                await self._exchange_grant()
                await self.read_batch()
        except IndexChanged as error:
            raise index_busy("it is being dropped and recreated") from error

    async def _exchange_grant(self) -> None:
        """Exchange the grant of the batch that was sent for a grant for the next batch. A slow reader then occupies
        only the memory of the messages that wait for it."""
        if not self._merged:
            self._batch, self._read_memories = [], {}
            self._grant.release()
            size = min(READ_BATCH, len(self._hits) - self._next) * MEMORY_READ_BYTES
            self._grant = await self._budget.acquire(size, max_wait=remaining(_MAX_WAIT))

    async def _read(self, storage_ids: Sequence[str], where: Filter) -> list[Memory | None]:
        """Read memories; None for a memory that was changed or deleted, or expired, since the search."""
        memories = await self._store.read(self._info, storage_ids)
        return [memory if memory and where.matches(memory) and not memory.is_expired() else None for memory in memories]

    async def _read_contexts(self) -> None:
        """Read the contexts of this batch in one round trip, if they are few."""
        self._read_memories = {}
        storage_ids = {
            candidate.storage_id for number, _ in self._batch if self._merged for candidate in self._merged[number][1]
        }
        storage_ids -= {hit.storage_id for _, hit in self._batch}
        if 0 < len(storage_ids) <= READ_BATCH:
            memories = await self._store.read(self._info, list(storage_ids))
            pairs = zip(storage_ids, memories, strict=True)
            self._read_memories = {storage_id: memory for storage_id, memory in pairs if memory is not None}
        self._read_memories |= {hit.storage_id: hit.memory for _, hit in self._batch}

    async def _with_context(self, number: int, hit: Hit) -> Hit:
        """Return the hit with its context, or with a reference to the hit that carries the merged context."""
        first, merged = self._merged[number]
        if first not in self._separate:
            if first != number:
                return replace(hit, context_hit_id=self._hits[first].memory.id)
            memories, complete = await self._fitting_context(hit, merged)
            if complete or len(merged) <= len(self._windows[number]):
                return replace(hit, context=memories, context_truncated=not complete)
            self._separate.add(number)
        memories, complete = await self._fitting_context(hit, self._windows[number])
        return replace(hit, context=memories, context_truncated=not complete)

    async def _fitting_context(self, hit: Hit, window: Sequence[Candidate]) -> tuple[tuple[Memory, ...], bool]:
        """Return the memories of the window that fit into one message with the hit, preferring the nearest, and whether
        all of them fit."""
        center = next(
            (position for position, candidate in enumerate(window) if candidate.storage_id == hit.storage_id), 0
        )
        nearest_first = sorted(range(len(window)), key=lambda position: abs(position - center))
        room = min(MAX_CONTEXT_BYTES, MAX_MEMORY_BYTES - message_size(hit.memory))
        scope = Filter(hit.memory.user_id, (hit.memory.session_id,) if hit.memory.session_id else ())
        fitting: dict[int, Memory] = {}
        for start in range(0, len(nearest_first), READ_BATCH):
            positions = nearest_first[start : start + READ_BATCH]
            memories = await self._context_memories([window[position].storage_id for position in positions])
            for position, memory in zip(positions, memories, strict=True):
                if memory is None or memory.is_expired() or not scope.matches(memory):
                    continue
                room -= message_size(memory)
                if room < 0:
                    return tuple(fitting[index] for index in sorted(fitting)), False
                fitting[position] = memory
        return tuple(fitting[position] for position in sorted(fitting)), True

    async def _context_memories(self, storage_ids: Sequence[str]) -> list[Memory | None]:
        """Return memories: those of the current batch without a read, and read the others."""
        unread = [storage_id for storage_id in storage_ids if storage_id not in self._read_memories]
        read = dict(zip(unread, await self._store.read(self._info, unread) if unread else [], strict=True))
        return [self._read_memories.get(storage_id) or read.get(storage_id) for storage_id in storage_ids]
