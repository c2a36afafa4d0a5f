"""Use cases of many memories: list them page by page, delete those that pass a filter."""

from dataclasses import dataclass

from memory_service.domain.indexes import Indexes
from memory_service.domain.page_tokens import Binding, Place, seal, unseal
from memory_service.domain.ports import MemorySearch, MemoryStore, SearchOptions
from memory_service.domain.sizes import LARGEST, LOT, PAGE, message_size
from memory_service.domain.time_windows import Windows, in_contract, moment
from memory_service.domain.types import Candidate, Embedding, Filter, IndexInfo, Memory

_TIES = 10_000
"""Memories of the very same time that a List can put in order."""
_ORDERED = 1000
"""Memories beside those of the page that the engine may put in order for it."""
_STEP = 500
"""Memories deleted in one step."""


@dataclass(frozen=True, slots=True)
class Page:
    """Memories in order, their embeddings where they were asked for, and the token of the next page ("" after the
    last)."""

    memories: list[Memory]
    embeddings: list[Embedding]
    next_token: str


class Listing:
    """The memories of one engine, in order."""

    def __init__(self, search: MemorySearch, store: MemoryStore, indexes: Indexes) -> None:
        self._search = search
        self._windows = Windows(search)
        self._store = store
        self._indexes = indexes
        self._secret: bytes | None = None

    async def page(
        self,
        index: str,
        where: Filter,
        *,
        size: int,
        token: str = "",
        newest_first: bool = False,
        embeddings: bool = False,
    ) -> Page:
        """The next memories in the order of (timestamp, id), at most `size` and about two megabytes.

        Raises InvalidRequest for a token of another request, NotFound for a missing index, Unavailable for one that is
        not ready.
        """
        if self._secret is None:
            self._secret = await self._store.secret()
        secret = self._secret

        async def page(info: IndexInfo) -> Page:
            binding = Binding(secret, info.name, where, newest_first)
            after = unseal(token, binding) if token else None
            found = await self._after(info, where, after, size + 1, newest_first=newest_first)
            return await self._page(info, where, found, size, binding, embeddings=embeddings)

        return await self._indexes.retry_if_changed(index, page, ready=True)

    async def _page(
        self, info: IndexInfo, where: Filter, found: list[Candidate], size: int, binding: Binding, *, embeddings: bool
    ) -> Page:
        """The first memories of those found, read in steps until the page is full."""
        memories: list[Memory] = []
        vectors: list[Embedding] = []
        passed = 0
        volume = 0
        while passed < min(size, len(found)) and volume < PAGE:
            slots = [one.slot for one in found[passed : min(size, passed + LOT)]]
            read = await self._store.read(info, slots)
            made = await self._store.embeddings(info, slots) if embeddings else [None] * len(slots)
            for memory, vector in zip(read, made, strict=True):
                if volume >= PAGE:
                    break
                passed += 1
                # What has gone since it was found is passed over.
                if (
                    memory is not None
                    and where.admits(memory)
                    and not memory.expired()
                    and not (embeddings and vector is None)
                    # What other software wrote may exceed any message.
                    and (size_of := message_size(memory)) <= LARGEST
                ):
                    memories.append(memory)
                    volume += size_of
                    if vector is not None:
                        vectors.append(vector)
                        volume += vector.nbytes
        # A memory that went since it was found may have been replaced by a later one: then this is not the end.
        if passed >= len(found) and len(memories) == passed:
            return Page(memories, vectors, "")
        return Page(memories, vectors, seal(Place(*found[passed - 1].place), binding))

    async def delete_matching(self, index: str, where: Filter, *, dry_run: bool) -> int:
        """Delete the memories within the filter, or count them; return how many.

        Raises NotFound for a missing index, Unavailable for one that is not ready.
        """
        if dry_run:
            return await self._indexes.retry_if_changed(
                index, lambda info: self._windows.count(info, where), ready=True
            )
        deleted = 0

        async def step(info: IndexInfo) -> bool:
            nonlocal deleted
            found = await self._search.matching(info, where, _STEP, SearchOptions())
            deleted += sum(await self._store.delete(info, [one.slot for one in found]))
            return bool(found)

        # The index is looked at each time: an engine that restarted meanwhile could find nothing, and have more.
        while await self._indexes.retry_if_changed(index, step, ready=True):
            pass
        return deleted

    async def _after(
        self, info: IndexInfo, where: Filter, after: Place | None, size: int, *, newest_first: bool
    ) -> list[Candidate]:
        """The first `size` memories after a place. The engine orders by time alone: all memories of a moment that the
        page begins or ends within are fetched, and ordered here."""
        found: list[Candidate] = []
        rest: Filter | None = where
        if after is not None:
            passed = (after.timestamp, after.id, after.slot)
            same = await self._at(info, where, after.timestamp, newest_first=newest_first)
            found = [one for one in same if (one.place < passed if newest_first else one.place > passed)]
            rest = _beyond(where, moment(after.timestamp), newest_first=newest_first)
        while rest is not None and len(found) < size:
            wanted = size - len(found)
            window = await self._windows.first(
                info, rest, at_least=wanted, at_most=_ORDERED + 4 * wanted, newest_first=newest_first
            )
            within = in_contract(window)
            more = await self._search.ordered(info, within, wanted, newest_first=newest_first) if within else []
            if len(more) < wanted:  # The window has no more. Counts may be too high, so there may be more beyond it.
                found += sorted(more, key=_place, reverse=newest_first)
                edge = window.start if newest_first else window.end
                rest = None if edge is None else _beyond(rest, (edge, edge), newest_first=newest_first)
                continue
            more += await self._at(info, where, more[-1].memory.timestamp, newest_first=newest_first)
            found += sorted({one.slot: one for one in more}.values(), key=_place, reverse=newest_first)
            break
        return found[:size]

    async def _at(self, info: IndexInfo, where: Filter, timestamp: int, *, newest_first: bool) -> list[Candidate]:
        """The memories of one moment, in order."""
        only = where.between(*moment(timestamp))
        if only is None:
            return []
        found = await self._search.ordered(info, only, _TIES, newest_first=newest_first)
        return sorted(found, key=_place, reverse=newest_first)


def _beyond(where: Filter, span: tuple[int, int], *, newest_first: bool) -> Filter | None:
    """The filter for what comes after a half-open span of time."""
    first, last = span
    return where.between(None, first) if newest_first else where.between(last, None)


def _place(candidate: Candidate) -> tuple[int, str, str]:
    return candidate.place
