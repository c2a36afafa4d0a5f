"""Whether the engine can answer calls, for readiness."""

import asyncio

from memory_service.domain.errors import Unavailable
from memory_service.valkey.connections import Connections

_TIMEOUT = 0.7
"""Seconds that the engine has to answer."""


class EngineProbe:
    """Asks the engine on a connection of its own: a queue for the others must not look like an outage."""

    def __init__(self, own: Connections, others: Connections) -> None:
        self._own = own
        self._others = others

    async def check(self) -> None:
        """Raise Unavailable or TimeoutError, within a second, while the engine cannot answer calls."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._own.check()
        except Unavailable:
            self._others.pool.learn_from(self._own.pool)
            raise
        except TimeoutError:
            # On a machine that is short of CPU that says little while other commands are answered.
            if not self._others.pool.heard_within(_TIMEOUT):
                raise
