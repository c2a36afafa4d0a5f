"""Removes expired memories that the engine has kept: those whose Store was interrupted before it set their expiry.

Every server of an engine does so, without harm to each other. Until a memory is removed no call returns it: searches
leave out what has expired by what the document says.
"""

import asyncio
import random

import structlog

from memory_service.domain.errors import MemoryServiceError
from memory_service.domain.indexes import Indexes
from memory_service.domain.ports import IndexChanged, MemoryStore
from memory_service.domain.types import IndexInfo

_log = structlog.get_logger(__name__)

_MOST_STEPS = 100
"""Steps in one index, so that the others get their turn."""


class ExpirySweep:
    """Looks at every index, again and again."""

    def __init__(self, indexes: Indexes, store: MemoryStore, *, every: float) -> None:
        """`every` is the time between two rounds in seconds, give or take a quarter, so that servers do not all work at
        the same moment."""
        self._indexes = indexes
        self._store = store
        self._every = every

    async def follow(self) -> None:
        """Work until cancelled. A round that fails is logged and repeated by the next."""
        while True:
            await asyncio.sleep(self._every * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            try:
                await self.once()
            except (MemoryServiceError, IndexChanged) as error:
                _log.debug("expiry_sweep_failed", cause=repr(error))

    async def once(self) -> None:
        """One round."""
        for info in await self._indexes.list():
            if removed := await self._remove(info):
                _log.info("expired_memories_removed", index=info.name, count=removed)

    async def _remove(self, info: IndexInfo) -> int:
        removed = 0
        for _ in range(_MOST_STEPS):
            step = await self._store.remove_expired(info)
            removed += step
            if not step:
                break
        return removed
