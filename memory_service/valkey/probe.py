"""The readiness probe of the engine."""

import asyncio

from memory_service.domain.errors import Unavailable
from memory_service.valkey.connections import Connections

_TIMEOUT = 0.7
"""Seconds that the engine has to answer the probe."""


class EngineProbe:
    """Probes the engine on a separate connection, so that a queue for the others does not look like an outage."""

    def __init__(self, probe_connection: Connections, call_connections: Connections) -> None:
        self._probe_connection = probe_connection
        self._call_connections = call_connections

    async def check(self) -> None:
        """Return if the engine can answer calls; otherwise raise Unavailable or TimeoutError within a second."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._probe_connection.check()
        except Unavailable:
            self._call_connections.pool.adopt_failover(self._probe_connection.pool)
            raise
        except TimeoutError:
            # A machine short of CPU may delay the probe. Replies to other commands show that the engine is available.
            if not self._call_connections.pool.replied_within(_TIMEOUT):
                raise
