"""The use cases of many memories: List, page by page, and DeleteMatching."""

from dataclasses import dataclass

from memory_service.domain.indexes import Indexes
from memory_service.domain.page_tokens import Cursor, TokenBinding, decode_cursor, encode_cursor
from memory_service.domain.ports import MemorySearch, MemoryStore, SearchOptions
from memory_service.domain.sizes import MAX_MEMORY_BYTES, MAX_PAGE_BYTES, READ_BATCH, message_size
from memory_service.domain.time_windows import TimeWindows, rounding_range, within_supported_times
from memory_service.domain.types import Candidate, Embedding, Filter, IndexInfo, Memory

_MAX_TIES = 10_000
"""Number of memories with the same timestamp that List can order."""
_MAX_SORTED = 1000
"""Number of memories that the engine may sort in addition to the memories of a page."""
_DELETE_BATCH = 500
"""Number of memories deleted in one step."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of memories, their embeddings if requested, and the token of the next page ("" after the last)."""

    memories: list[Memory]
    embeddings: list[Embedding]
    next_token: str


class Listing:
    """Lists and deletes the memories of one engine by filter."""

    def __init__(self, search: MemorySearch, store: MemoryStore, indexes: Indexes) -> None:
        self._search = search
        self._windows = TimeWindows(search)
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
        """Return the next memories ordered by (timestamp, id): at most `size`, and about MAX_PAGE_BYTES.

        Raises:
            InvalidRequest: the token belongs to another request.
            NotFound: the index is missing.
            Unavailable: the index is not ready.
        """
        if self._secret is None:
            self._secret = await self._store.secret()
        secret = self._secret

        async def page(info: IndexInfo) -> Page:
            binding = TokenBinding(secret, info.name, where, newest_first)
            cursor = decode_cursor(token, binding) if token else None
            candidates = await self._after(info, where, cursor, size + 1, newest_first=newest_first)
            return await self._read_page(info, where, candidates, size, binding, embeddings=embeddings)

        return await self._indexes.retry_if_changed(index, page, ready=True)

    async def _read_page(
        self,
        info: IndexInfo,
        where: Filter,
        candidates: list[Candidate],
        size: int,
        binding: TokenBinding,
        *,
        embeddings: bool,
    ) -> Page:
        """Read candidates in batches until the page is full."""
        memories: list[Memory] = []
        vectors: list[Embedding] = []
        processed = 0
        page_bytes = 0
        while processed < min(size, len(candidates)) and page_bytes < MAX_PAGE_BYTES:
            storage_ids = [
                candidate.storage_id for candidate in candidates[processed : min(size, processed + READ_BATCH)]
            ]
            batch = await self._store.read(info, storage_ids)
            batch_vectors = await self._store.embeddings(info, storage_ids) if embeddings else [None] * len(storage_ids)
            for memory, vector in zip(batch, batch_vectors, strict=True):
                if page_bytes >= MAX_PAGE_BYTES:
                    break
                processed += 1
                # Skip memories that were changed or deleted since the search.
                if (
                    memory is not None
                    and where.matches(memory)
                    and not memory.is_expired()
                    and not (embeddings and vector is None)
                    # A document of other software may exceed the message limit.
                    and (memory_bytes := message_size(memory)) <= MAX_MEMORY_BYTES
                ):
                    memories.append(memory)
                    page_bytes += memory_bytes
                    if vector is not None:
                        vectors.append(vector)
                        page_bytes += vector.nbytes
        # If a memory was deleted since the search, a later one may have taken its place, so this may not be the end.
        if processed >= len(candidates) and len(memories) == processed:
            return Page(memories, vectors, "")
        return Page(memories, vectors, encode_cursor(Cursor(*candidates[processed - 1].sort_key), binding))

    async def delete_matching(self, index: str, where: Filter, *, dry_run: bool) -> int:
        """Delete the memories that match the filter, or only count them; return their number.

        Raises:
            NotFound: the index is missing.
            Unavailable: the index is not ready.
        """
        if dry_run:
            return await self._indexes.retry_if_changed(
                index, lambda info: self._windows.count(info, where), ready=True
            )
        deleted = 0

        async def delete_batch(info: IndexInfo) -> bool:
            nonlocal deleted
            reply = await self._search.matching(info, where, _DELETE_BATCH, SearchOptions())
            deleted += sum(await self._store.delete(info, [candidate.storage_id for candidate in reply.value]))
            return bool(reply.value)

        # Each batch checks that the index is ready: after a restart the engine could find nothing although more exist.
        while await self._indexes.retry_if_changed(index, delete_batch, ready=True):
            pass
        return deleted

    async def _after(
        self, info: IndexInfo, where: Filter, cursor: Cursor | None, size: int, *, newest_first: bool
    ) -> list[Candidate]:
        """Return the first `size` memories after the cursor.

        The engine orders by time alone. All memories that share the first or last timestamp of the page are therefore
        fetched and ordered here.
        """
        page: list[Candidate] = []
        remaining: Filter | None = where
        if cursor is not None:
            last = (cursor.timestamp, cursor.id, cursor.storage_id)
            ties = await self._at(info, where, cursor.timestamp, newest_first=newest_first)
            page = [
                candidate
                for candidate in ties
                if (candidate.sort_key < last if newest_first else candidate.sort_key > last)
            ]
            remaining = _beyond(where, rounding_range(cursor.timestamp), newest_first=newest_first)
        while remaining is not None and len(page) < size:
            missing = size - len(page)
            window = await self._windows.first(
                info, remaining, at_least=missing, at_most=_MAX_SORTED + 4 * missing, newest_first=newest_first
            )
            supported = within_supported_times(window)
            more = await self._search.ordered(info, supported, missing, newest_first=newest_first) if supported else []
            if len(more) < missing:  # The window has no more. A count may be too high, so continue after the window.
                page += sorted(more, key=_sort_key, reverse=newest_first)
                edge = window.start if newest_first else window.end
                remaining = None if edge is None else _beyond(remaining, (edge, edge), newest_first=newest_first)
                continue
            more += await self._at(info, where, more[-1].memory.timestamp, newest_first=newest_first)
            page += sorted(
                {candidate.storage_id: candidate for candidate in more}.values(), key=_sort_key, reverse=newest_first
            )
            break
        return page[:size]

    async def _at(self, info: IndexInfo, where: Filter, timestamp: int, *, newest_first: bool) -> list[Candidate]:
        """Return the memories whose timestamps the engine cannot distinguish from this one, in order."""
        narrowed = where.between(*rounding_range(timestamp))
        if narrowed is None:
            return []
        candidates = await self._search.ordered(info, narrowed, _MAX_TIES, newest_first=newest_first)
        return sorted(candidates, key=_sort_key, reverse=newest_first)


def _beyond(where: Filter, time_range: tuple[int, int], *, newest_first: bool) -> Filter | None:
    """Return the filter for the memories that List returns after a half-open time range."""
    first, last = time_range
    return where.between(None, first) if newest_first else where.between(last, None)


def _sort_key(candidate: Candidate) -> tuple[int, str, str]:
    return candidate.sort_key
