"""Log lines about readiness: once when the service becomes ready, and repeatedly, with the cause, while it is not."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0
"""Seconds between two lines while the service is not ready. The pause doubles after each line."""

_log = structlog.get_logger(__name__)


class ReadinessLog:
    """Logs `ready` and `not_ready`."""

    def __init__(self, explain: Callable[[BaseException], Awaitable[str]]) -> None:
        """`explain` returns the cause of a failure in words. It may take seconds."""
        self._explain = explain
        self._failure: BaseException = TimeoutError()
        self._reporting: asyncio.Task[None] | None = None

    def ready(self) -> None:
        """Log that the service is ready, and stop logging failures."""
        self.close()
        _log.info("ready")

    def not_ready(self, failure: BaseException) -> None:
        """Log the latest failure now and again at growing intervals, until the service is ready."""
        self._failure = failure
        if self._reporting is None:
            self._reporting = asyncio.create_task(self._report())

    def close(self) -> None:
        """Stop logging."""
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None

    async def _report(self) -> None:
        started_at, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                cause = await self._explain(self._failure)
            except Exception as error:  # noqa: BLE001 - a line with less detail is better than none
                cause = f"{self._failure!r}, which could not be explained: {error!r}"
            _log.warning("not_ready", cause=cause, seconds=round(time.monotonic() - started_at))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
