"""An engine that one service or library has to itself."""

import contextlib
from collections.abc import AsyncIterator

from bench.harness.engine import embedded_engine
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url


class Engine:
    """A Valkey and a connection to it."""

    def __init__(self, url: str, connections: Connections) -> None:
        self.url = url
        self.connections = connections

    @property
    def redis_url(self) -> str:
        """The URL for software that accepts Redis URLs only."""
        return self.url.replace("valkey://", "redis://")

    async def cpu_seconds(self) -> float:
        """Return the CPU time that the engine has used so far."""
        info = bytes(await self.connections.run(["INFO", "cpu"])).decode().splitlines()
        fields = dict(line.split(":") for line in info if ":" in line)
        return float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])


@contextlib.asynccontextmanager
async def connected_engine(url: str = "", appendfsync: str = "no") -> AsyncIterator[Engine]:
    """Connect to the engine at this URL, or to a new embedded one, while the context is open."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded_engine(appendfsync))
        connections = Connections(parse_url(url, connections=1))
        await connections.open()
        stack.push_async_callback(connections.close)
        yield Engine(url, connections)
