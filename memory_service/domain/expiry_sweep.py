"""Removes expired memories whose Store was interrupted before it set the expiry of their key.

Every server runs the sweep; concurrent sweeps do not conflict. No call returns such a memory before it is
removed, because searches check the expiry in the document.
"""

import asyncio
import random

import structlog

from memory_service.domain.errors import MemoryServiceError
from memory_service.domain.indexes import Indexes
from memory_service.domain.ports import IndexChanged, MemoryStore
from memory_service.domain.types import IndexInfo

_log = structlog.get_logger(__name__)

_MAX_STEPS = 100
"""Steps in one index before the sweep goes on to the next."""


class ExpirySweep:
    """Sweeps every index periodically."""

    def __init__(self, indexes: Indexes, store: MemoryStore, *, interval: float) -> None:
        """`interval` is the time between two sweeps in seconds. It varies by a quarter, so that servers do not all
        sweep at the same time."""
        self._indexes = indexes
        self._store = store
        self._interval = interval

    async def run(self) -> None:
        """Sweep until cancelled. A failed sweep is logged; the next one repeats its work."""
        while True:
            await asyncio.sleep(self._interval * random.uniform(0.75, 1.25))  # noqa: S311 - not a secret
            try:
                await self.sweep()
            except (MemoryServiceError, IndexChanged) as error:
                _log.debug("expiry_sweep_failed", cause=repr(error))

    async def sweep(self) -> None:
        """Sweep every index once."""
        for info in await self._indexes.list():
            if removed := await self._remove(info):
                _log.info("expired_memories_removed", index=info.name, count=removed)

    async def _remove(self, info: IndexInfo) -> int:
        removed = 0
        for _ in range(_MAX_STEPS):
            step = await self._store.remove_expired(info)
            removed += step
            if not step:
                break
        return removed
