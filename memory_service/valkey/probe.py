"""The readiness probe of the engine."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from memory_service.domain.errors import Unavailable
from memory_service.valkey.connections import Connections

_TICK = 0.05
_TICKS = 24
"""Ticks that the engine has to answer the probe: 1.2 seconds, or longer if this process gets too little CPU."""
_LONGEST = 5.0
"""Seconds after which the probe fails, however few ticks were counted."""
_RECENT = 0.7
"""Seconds for which the result of another command shows that the engine answers."""


class EngineProbe:
    """Probes the engine on a separate connection, so that a queue for the others does not look like an outage."""

    def __init__(self, probe_connection: Connections, call_connections: Connections) -> None:
        self._probe_connection = probe_connection
        self._call_connections = call_connections

    async def check(self) -> None:
        """Return if the engine can answer calls; otherwise raise Unavailable, or TimeoutError if it does not answer."""
        try:
            await _within_ticks(self._probe_connection.check())
        except Unavailable:
            self._call_connections.pool.adopt_failover(self._probe_connection.pool)
            raise
        except TimeoutError:
            # A busy engine may delay the probe. Results of other commands show that it is available.
            if not self._call_connections.pool.answered_within(_RECENT):
                raise


async def _within_ticks(check: Coroutine[Any, Any, None]) -> None:
    """Await the check, or raise TimeoutError. Only time in which this process runs counts.

    A process that gets no CPU reads no reply. A timeout by the clock would take that for an outage; ticks are late too.
    """
    end = time.monotonic() + _LONGEST
    task = asyncio.ensure_future(check)
    try:
        for _ in range(_TICKS):
            await asyncio.wait([task], timeout=_TICK)
            if task.done() or time.monotonic() >= end:
                break
        if not task.done():
            raise TimeoutError
        task.result()
    finally:
        task.cancel()
