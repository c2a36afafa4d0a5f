"""The readiness of the service: a periodic check, and the health status that results from it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from memory_service.rpc.readiness_log import ReadinessLog

_INTERVAL = 0.5
"""Seconds between two checks."""
_ERRORS_BEFORE_NOT_READY = 2
"""Errors in a row after which the service is not ready: one may come from a connection that is being replaced."""


class ReadinessProbe:
    """Runs a check and reports when its outcome changes. `ready` is False until the first check succeeds."""

    def __init__(
        self,
        check: Callable[[], Awaitable[None]],
        set_status: Callable[[bool], Awaitable[None]],
        explain: Callable[[BaseException], Awaitable[str]],
    ) -> None:
        """`check` must raise if the service cannot answer calls. After a TimeoutError the service is not ready at once,
        after another error only if it happens again.

        `set_status` is called with the new value each time that `ready` changes. `explain` returns the cause of a
        failed check in words, for the log.
        """
        self.ready = False
        self._check = check
        self._set_status = set_status
        self._log = ReadinessLog(explain)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Check until stopped."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop checking and logging; the service is not ready from now on. Does not report the change."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._log.close()
        self.ready = False

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._check()
                failures = 0
            except Exception as error:  # noqa: BLE001 - calls would meet the same error
                failures += 1
                if failures >= _ERRORS_BEFORE_NOT_READY or isinstance(error, TimeoutError):
                    await self._update(ready=False)
                    self._log.not_ready(error)
            else:
                if not self.ready:
                    await self._update(ready=True)
                    self._log.ready()
            await asyncio.sleep(0.0 if 0 < failures < _ERRORS_BEFORE_NOT_READY else _INTERVAL)

    async def _update(self, *, ready: bool) -> None:
        if self.ready != ready:
            self.ready = ready
            await self._set_status(ready)
