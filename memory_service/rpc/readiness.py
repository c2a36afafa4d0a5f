"""Lines of the log about readiness: when it comes, and why it is not there, at growing intervals."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0
"""Seconds between two lines while the service is not ready: twice as long each time."""

_log = structlog.get_logger(__name__)


class ReadinessLog:
    """Logs once when the service becomes ready, and again and again why it is not."""

    def __init__(self, explain: Callable[[BaseException], Awaitable[str]]) -> None:
        """`explain` puts a failure into words; it may take seconds."""
        self._explain = explain
        self._failure: BaseException = TimeoutError()
        self._reporting: asyncio.Task[None] | None = None

    def ready(self) -> None:
        """The service is ready from now on."""
        self.close()
        _log.info("ready")

    def not_ready(self, failure: BaseException) -> None:
        """The service is not ready, and this is the latest reason."""
        self._failure = failure
        if self._reporting is None:
            self._reporting = asyncio.create_task(self._report())

    def close(self) -> None:
        """Log nothing any more."""
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None

    async def _report(self) -> None:
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                cause = await self._explain(self._failure)
            except Exception as error:  # noqa: BLE001 - a line with less in it is better than none
                cause = f"{self._failure!r}, which could not be explained: {error!r}"
            _log.warning("not_ready", cause=cause, seconds=round(time.monotonic() - began))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
