"""Checks the default index regularly: its size, its failures, and whether every key is in it."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from memory_service.domain.errors import MemoryServiceError
from memory_service.domain.types import IndexInfo

_log = structlog.get_logger(__name__)

_MAX_KEYS = 2_000_000
"""The keys of a larger index are not counted: that would occupy one connection for minutes."""
_TIMEOUT = 20.0
"""Seconds that describing the index may take."""


class _Indexes(Protocol):
    async def describe(self, index: str) -> IndexInfo | None: ...

    async def count_keys(self, index: str) -> int: ...


@dataclass(slots=True)
class IndexMonitor:
    """The latest values about the index. They are None before the first check, and while the index does not exist.

    `check_interval` and `count_interval` are the seconds between two checks and between two counts of all keys.
    """

    indexes: _Indexes
    index: str
    check_interval: float
    count_interval: float
    memories: int | None = None
    failures: int | None = None
    drift: int | None = None
    """Keys that the index does not contain, beyond what concurrent writes explain. Negative: entries without a key."""

    async def run(self) -> None:
        """Check until cancelled. Errors are only logged: calls that need the engine report them."""
        loop = asyncio.get_running_loop()
        next_count_at = loop.time()
        while True:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    info = await self.indexes.describe(self.index)
                self.memories = info.memory_count if info else None
                self.failures = info.indexing_failures if info else None
                if info is None:
                    self.drift = None
                elif loop.time() >= next_count_at:
                    next_count_at = loop.time() + self.count_interval
                    self.drift = await self._measure_drift(info)
            except (MemoryServiceError, TimeoutError) as error:
                _log.debug("index_not_seen", cause=repr(error))
            await asyncio.sleep(self.check_interval)

    async def _measure_drift(self, before: IndexInfo) -> int | None:
        if before.memory_count > _MAX_KEYS:
            return None
        keys = await self.indexes.count_keys(self.index)
        async with asyncio.timeout(_TIMEOUT):
            after = await self.indexes.describe(self.index)
        if after is None or not after.ready:
            return None
        least, most = sorted((before.memory_count, after.memory_count))
        return keys - most if keys > most else min(0, keys - least)
