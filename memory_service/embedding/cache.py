"""A cache around an embedder: a text that was embedded lately, or is being embedded now, is not embedded again."""

import asyncio

from cachetools import LRUCache

from memory_service.memory.deadline import remaining, without_deadline
from memory_service.memory.errors import deadline_exceeded
from memory_service.memory.ports import Embedder
from memory_service.memory.types import Embedding

_ENTRY_OVERHEAD = 300
"""Bytes that an entry costs beside its text and numbers: array, key and dict entry."""

_LONGEST = 600.0
"""Seconds that a caller without a deadline waits; embedders have limits of their own."""


class CachedEmbedder:
    """Least recently used embeddings, bounded by bytes; one call for all who ask for the same text at once."""

    def __init__(self, embedder: Embedder, *, max_bytes: int) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self.hits = 0
        """Texts that were known or being embedded when they were asked for."""
        self.misses = 0
        self._embedder = embedder
        self._known: LRUCache[str, tuple[int, Embedding]] = LRUCache(max_bytes, getsizeof=lambda entry: entry[0])
        self._under_way: dict[str, asyncio.Task[Embedding]] = {}

    async def embed(self, text: str) -> Embedding:
        """The unit-length embedding of a text."""
        if (entry := self._known.get(text)) is not None:
            self.hits += 1
            return entry[1]
        task = self._under_way.get(text)
        if task is not None:
            self.hits += 1
        else:
            self.misses += 1
            task = self._under_way[text] = asyncio.create_task(self._embed(text), context=without_deadline())
            task.add_done_callback(lambda done: self._ended(text, done))
        try:
            # A caller who gives up must not fail the others who wait for the same text: hence the shield.
            async with asyncio.timeout(remaining(_LONGEST)):
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise deadline_exceeded() from error

    def _ended(self, text: str, task: asyncio.Task[Embedding]) -> None:
        self._under_way.pop(text, None)
        if not task.cancelled():
            # Looked at, since asyncio complains of errors that nobody saw, and all who waited may have given up.
            task.exception()

    @property
    def size(self) -> int:
        """Bytes that the embeddings take."""
        return int(self._known.currsize)

    async def _embed(self, text: str) -> Embedding:
        embedding = await self._embedder.embed(text)
        size = embedding.nbytes + len(text) * 4 + _ENTRY_OVERHEAD
        if size <= self._known.maxsize:
            self._known[text] = (size, embedding)
        return embedding
