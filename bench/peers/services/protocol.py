"""What every adapter of a service implements, and the process of its server."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bench.peers.connections import GrpcConnection, Http1Connection, Request

_START_TIMEOUT = 120.0
"""Seconds that a server may take to start."""


class Service(Protocol):
    """A server, and how to call it."""

    title: str
    about: str
    """Version, settings and patches, for the report."""
    address: str

    @property
    def protocol(self) -> type[Http1Connection | GrpcConnection]:
        """The protocol of its API."""

    def store_request(self, number: int) -> Request:
        """Return the request that stores this memory."""

    def search_request(self, query: int) -> Request:
        """Return the request that searches by this query within its user."""

    def result_ids(self, response: bytes) -> list[str]:
        """Return the ids of the memories in a search's response, best first."""

    async def wait_until_stored(self, count: int) -> None:
        """Return when this many memories can be found, or when no more are stored."""

    async def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU time that the server's processes have used so far, and that of its engine."""


def _tail(log: Path) -> str:
    return f"the server ended before it was ready:\n{log.read_text()[-2000:]}"


@contextlib.asynccontextmanager
async def server_process(
    command: Sequence[str], address: str, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[int]:
    """Run a server while the context is open. Yield its process id once its port accepts connections."""
    host, _, port = address.rpartition(":")
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on the loop yet
            command, env=dict(environment), cwd=log.parent, stdout=output, stderr=output
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                while True:
                    assert process.poll() is None, _tail(log)
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(host, int(port))
                        writer.close()
                        break
                    await asyncio.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
