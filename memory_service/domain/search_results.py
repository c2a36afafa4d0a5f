"""The answer to a search, read from the engine in lots, so that it never takes more memory than it has been granted."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from memory_service.domain import context
from memory_service.domain.deadline import remaining
from memory_service.domain.errors import index_busy
from memory_service.domain.fairness import FairBudget, Grant
from memory_service.domain.ports import IndexChanged, MemorySearch, MemoryStore, SearchOptions
from memory_service.domain.query import ContextSize, Hit
from memory_service.domain.sizes import BYTES_EACH, CONTEXT, COST, LARGEST, LOT, message_size
from memory_service.domain.types import Candidate, Filter, IndexInfo, Memory

_PATIENCE = 30.0
"""Seconds that an answer that has begun waits for memory to go on."""
_HITS = 20
"""Hits whose surroundings are asked for at once, as headings."""


class Answer:
    """The hits of a search, best first. `close` it when done."""

    def __init__(
        self, store: MemoryStore, info: IndexInfo, where: Filter, hits: list[Hit], budget: FairBudget, grant: Grant
    ) -> None:
        """`grant`, of the budget, is memory for LOT memories, or for all hits where they are fewer."""
        self._store = store
        self._budget = budget
        self._info = info
        self._where = where
        self._hits = hits
        self._grant = grant
        self._next = 0
        self._lot: list[tuple[int, Hit]] = []
        self._known: dict[str, Memory] = {}
        self._windows: list[list[Candidate]] = []
        self._joined: list[tuple[int, tuple[Candidate, ...]]] = []
        self._separate: set[int] = set()
        """Hits whose joined surroundings are not sent together: each hit of theirs brings its own."""

    def close(self) -> None:
        """Give the memory back."""
        self._grant.release()

    async def find_context(self, search: MemorySearch, size: ContextSize, options: SearchOptions) -> None:
        """Find what was said around the hits, as headings, and join what overlaps."""
        windows: dict[str, list[Candidate]] = {}
        in_sessions = [hit for hit in self._hits if hit.memory.session_id]
        for start in range(0, len(in_sessions), _HITS):
            lot = in_sessions[start : start + _HITS]
            memories = [hit.memory for hit in lot]
            nearby = await search.neighbors(self._info, memories, size.before, size.after, options)
            for hit, found in zip(lot, nearby, strict=True):
                windows[hit.slot] = context.window(hit.slot, found, size.before, size.after)
        self._windows = [windows.get(hit.slot) or [Candidate(hit.slot, hit.memory)] for hit in self._hits]
        self._joined = context.joined(self._windows)

    async def read_lot(self, *, whole: bool = False) -> None:
        """Read the next hits; `whole` means that they are there already.

        Raises IndexChanged.
        """
        lot = list(enumerate(self._hits))[self._next : self._next + LOT]
        self._next += len(lot)
        read: Sequence[Memory | None] = [hit.memory for _, hit in lot]
        if not whole:
            read = await self._read([hit.slot for _, hit in lot], self._where)
        self._lot = [
            (number, replace(hit, memory=memory))
            for (number, hit), memory in zip(lot, read, strict=True)
            if memory is not None and message_size(memory) <= LARGEST
        ]
        # Others must not refer to the context of a hit that is not there.
        self._separate |= {number for number, _ in lot} - {number for number, _ in self._lot}
        await self._read_contexts()
        if not self._joined:
            self._grant.shrink(sum(BYTES_EACH * message_size(hit.memory) for _, hit in self._lot))

    async def hits(self) -> AsyncIterator[Hit]:
        """The hits, as they are read."""
        try:
            while True:
                for number, hit in self._lot:
                    yield await self._with_context(number, hit) if self._joined else hit
                if self._next >= len(self._hits):
                    return
                await self._take_for_next_lot()
                await self.read_lot()
        except IndexChanged as error:
            raise index_busy("it is being dropped and created again") from error

    async def _take_for_next_lot(self) -> None:
        """Exchange the memory of the lot that has been sent for that of the next: a reader who takes its time holds no
        more than what waits for it."""
        if not self._joined:
            self._lot, self._known = [], {}
            self._grant.release()
            most = min(LOT, len(self._hits) - self._next)
            self._grant = await self._budget.take(most * COST, patience=remaining(_PATIENCE))

    async def _read(self, slots: Sequence[str], where: Filter) -> list[Memory | None]:
        # What the engine found is looked at once more: it may have changed, or expired.
        read = await self._store.read(self._info, slots)
        return [one if one and where.admits(one) and not one.expired() else None for one in read]

    async def _read_contexts(self) -> None:
        """Read the surroundings of this lot in one round trip, where they are few."""
        self._known = {}
        slots = {one.slot for number, _ in self._lot if self._joined for one in self._joined[number][1]}
        slots -= {hit.slot for _, hit in self._lot}
        if 0 < len(slots) <= LOT:
            read = await self._store.read(self._info, list(slots))
            self._known = {slot: memory for slot, memory in zip(slots, read, strict=True) if memory is not None}
        self._known |= {hit.slot: hit.memory for _, hit in self._lot}

    async def _with_context(self, number: int, hit: Hit) -> Hit:
        bringer, together = self._joined[number]
        if bringer not in self._separate:
            if bringer != number:
                return replace(hit, context_hit_id=self._hits[bringer].memory.id)
            brought, complete = await self._around(hit, together)
            if complete or len(together) <= len(self._windows[number]):
                return replace(hit, context=brought, context_truncated=not complete)
            self._separate.add(number)
        brought, complete = await self._around(hit, self._windows[number])
        return replace(hit, context=brought, context_truncated=not complete)

    async def _around(self, hit: Hit, found: Sequence[Candidate]) -> tuple[tuple[Memory, ...], bool]:
        """The memories of these that fit beside the hit, those nearest to it first; and whether all of them do."""
        place = next((at for at, one in enumerate(found) if one.slot == hit.slot), 0)
        nearest = sorted(range(len(found)), key=lambda at: abs(at - place))
        room = min(CONTEXT, LARGEST - message_size(hit.memory))
        scope = Filter(hit.memory.user_id, (hit.memory.session_id,) if hit.memory.session_id else ())
        brought: dict[int, Memory] = {}
        for start in range(0, len(nearest), LOT):
            lot = nearest[start : start + LOT]
            unknown = [found[at].slot for at in lot if found[at].slot not in self._known]
            read = dict(zip(unknown, await self._store.read(self._info, unknown) if unknown else [], strict=True))
            for at in lot:
                memory = self._known.get(found[at].slot) or read.get(found[at].slot)
                if memory is None or memory.expired() or not scope.admits(memory):
                    continue
                room -= message_size(memory)
                if room < 0:
                    return tuple(brought[one] for one in sorted(brought)), False
                brought[at] = memory
        return tuple(brought[at] for at in sorted(brought)), True
