"""A cache around an embedder: a text that was embedded recently, or is being embedded now, is not embedded again."""

import asyncio

from cachetools import LRUCache

from memory_service.domain.deadline import remaining
from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.errors import deadline_exceeded
from memory_service.domain.ports import Embedder
from memory_service.embedding.fair_queue import FairQueue

_ENTRY_OVERHEAD = 400
"""Bytes that an entry takes in addition to its text and numbers: array, key, flag and dict entry."""

_MAX_WAIT = 600.0
"""The longest wait of a caller without a deadline, in seconds. Embedders have timeouts of their own."""


class CachedEmbedder:
    """Caches the most recently used embeddings, up to a number of bytes.

    Other texts wait for the embedder in a fair queue. Calls with the same text share one computation.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        max_bytes: int,
        concurrency: int = 16,
        per_flow: int | None = None,
        queue_capacity: int = 1000,
    ) -> None:
        """Run `embedder` for at most `concurrency` texts at a time, and at most `per_flow` of one flow.

        `per_flow` None means no limit per flow. At most `queue_capacity` calls wait. `max_bytes` limits the cache.
        """
        self.model = embedder.model
        self.dimension = embedder.dimension
        self.hits = 0
        """Calls whose text was cached or being embedded."""
        self.misses = 0
        self._embedder = embedder
        self._cache: LRUCache[str, tuple[int, EmbeddedText]] = LRUCache(max_bytes, getsizeof=lambda entry: entry[0])
        self._queue: FairQueue[EmbeddedText] = FairQueue(
            self._embed, concurrency=concurrency, per_flow=per_flow or concurrency, capacity=queue_capacity
        )

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text.

        Raises:
            ResourceExhausted: too many calls wait.
            DeadlineExceeded: the call's deadline passed.
        """
        if (entry := self._cache.get(text)) is not None:
            self.hits += 1
            return entry[1]
        if text in self._queue:
            self.hits += 1
        else:
            self.misses += 1
        try:
            async with asyncio.timeout(remaining(_MAX_WAIT)):
                return await self._queue.run(text)
        except TimeoutError as error:
            raise deadline_exceeded() from error

    @property
    def size(self) -> int:
        """Bytes that the cached embeddings take."""
        return int(self._cache.currsize)

    @property
    def waiting(self) -> int:
        """Calls that wait for the embedder."""
        return self._queue.waiting

    async def _embed(self, text: str) -> EmbeddedText:
        embedded = await self._embedder.embed(text)
        size = embedded.embedding.nbytes + len(text) * 4 + _ENTRY_OVERHEAD
        if size <= self._cache.maxsize:
            self._cache[text] = (size, embedded)
        return embedded
