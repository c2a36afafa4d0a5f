"""A look at the default index now and then: its size, its failures, and whether every key is found in it."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from memory_service.domain.errors import MemoryServiceError
from memory_service.domain.types import IndexInfo

_log = structlog.get_logger(__name__)

_MAX_KEYS = 2_000_000
"""An index with more is not counted through: that takes minutes of one connection's time."""
_TIMEOUT = 20.0


class _Indexes(Protocol):
    async def describe(self, index: str) -> IndexInfo | None: ...

    async def count_keys(self, index: str) -> int: ...


@dataclass(slots=True)
class IndexMonitor:
    """What was seen last; None before that, and of an index that is not there."""

    indexes: _Indexes
    index: str
    check_interval: float
    count_interval: float
    memories: int | None = None
    failures: int | None = None
    drift: int | None = None
    """Keys that the index does not find, beyond what writes meanwhile explain; negative: finds that have no key."""

    async def run(self) -> None:
        """Look, until cancelled. What fails is met, and told, by the calls that need the engine."""
        loop = asyncio.get_running_loop()
        next_count = loop.time()
        while True:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    info = await self.indexes.describe(self.index)
                self.memories = info.memory_count if info else None
                self.failures = info.indexing_failures if info else None
                if info is None:
                    self.drift = None
                elif loop.time() >= next_count:
                    next_count = loop.time() + self.count_interval
                    self.drift = await self._drift(info)
            except (MemoryServiceError, TimeoutError) as error:
                _log.debug("index_not_seen", cause=repr(error))
            await asyncio.sleep(self.check_interval)

    async def _drift(self, before: IndexInfo) -> int | None:
        if before.memory_count > _MAX_KEYS:
            return None
        keys = await self.indexes.count_keys(self.index)
        async with asyncio.timeout(_TIMEOUT):
            after = await self.indexes.describe(self.index)
        if after is None or not after.ready:
            return None
        least, most = sorted((before.memory_count, after.memory_count))
        return keys - most if keys > most else min(0, keys - least)
