"""Cached descriptions of indexes, refreshed in the background, so that most calls need no engine command for them."""

import asyncio
import time
from dataclasses import replace

from memory_service.domain.deadline import remaining, without_deadline
from memory_service.domain.errors import Unavailable, engine_timeout
from memory_service.domain.ports import IndexStore
from memory_service.domain.types import IndexInfo

_REFRESH_AFTER = 1.0
"""Age in seconds from which a description is refreshed in the background."""
_MAX_AGE = 30.0
"""Age in seconds from which calls wait for the refresh."""
_DESCRIBE_TIMEOUT = 60.0
"""The longest time that a caller waits for a description, in seconds; the engine's own timeout is shorter."""
_REFRESH_SHARE = 0.25
"""Share of the caller's time to wait for a refresh when an older description is available."""
_MAX_CACHED = 1000


class IndexCache:
    """Descriptions of the indexes of one engine."""

    def __init__(self, engine: IndexStore) -> None:
        self._engine = engine
        self._cached: dict[str, tuple[float, IndexInfo]] = {}
        self._refreshing: dict[str, asyncio.Task[IndexInfo | None]] = {}

    async def current(self, name: str) -> IndexInfo | None:
        """Return a description that is at most seconds old; None if there is no such index.

        While the engine is unavailable, the last description stays in use: commands detect a changed index.

        Raises Unavailable or DeadlineExceeded if the engine does not answer and no description is cached.
        """
        described_at, info = self._cached.get(name, (0.0, None))
        age = time.monotonic() - described_at
        if info is None or age > (_MAX_AGE if info.ready else _REFRESH_AFTER):
            limit = remaining(_DESCRIBE_TIMEOUT)
            try:
                async with asyncio.timeout(limit if info is None else limit * _REFRESH_SHARE):
                    # Shielded, because other calls wait for the same refresh.
                    info = await asyncio.shield(self._refresh(name))
                described_at, _ = self._cached.get(name, (described_at, None))
            except (TimeoutError, Unavailable) as error:
                if info is None:
                    raise (engine_timeout(limit) if isinstance(error, TimeoutError) else error) from error
        elif age > _REFRESH_AFTER:
            self._refresh(name)
        if info is not None and described_at <= self._engine.last_disconnect_at():
            self._refresh(name)
            return replace(info, ready=False)
        return info

    def remember(self, info: IndexInfo, described_at: float) -> None:
        """Cache a description that was read at this time, by time.monotonic."""
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        self._cached[info.name] = (described_at, info)

    def invalidate(self, name: str) -> None:
        """Drop the description of an index, and ignore a refresh in progress."""
        self._cached.pop(name, None)
        self._refreshing.pop(name, None)

    def _refresh(self, name: str) -> asyncio.Task[IndexInfo | None]:
        """Describe the index in the background; one refresh per index at a time."""
        if (task := self._refreshing.get(name)) is not None:
            return task
        started = time.monotonic()

        def finish(task: asyncio.Task[IndexInfo | None]) -> None:
            # Reading the exception marks it as handled. Calls that need the engine meet and report the same failure.
            failed = task.cancelled() or task.exception() is not None
            if self._refreshing.get(name) is not task:
                return  # Invalidated since.
            del self._refreshing[name]
            if not failed:
                self._cached.pop(name, None)
                if (info := task.result()) is not None:
                    self.remember(info, started)

        task = asyncio.create_task(self._engine.describe(name), context=without_deadline())
        task.add_done_callback(finish)
        self._refreshing[name] = task
        return task
