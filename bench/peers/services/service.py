"""What services have in common: an engine of their own, a process, and calls as bytes."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil

from bench.locomo.__main__ import embedded
from bench.peers.load_generator import Call, Grpc, Http1, Outcome, load
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

_START = 120.0
"""Seconds that a server may take to start."""


class Engine:
    """An embedded engine that one service or library has to itself."""

    def __init__(self, url: str, connections: Connections) -> None:
        self.url = url
        self.connections = connections

    @property
    def redis_url(self) -> str:
        """For software that knows Redis alone."""
        return self.url.replace("valkey://", "redis://")

    async def cpu(self) -> float:
        """CPU seconds that it has taken so far."""
        told = bytes(await self.connections.run(["INFO", "cpu"])).decode().splitlines()
        fields = dict(line.split(":") for line in told if ":" in line)
        return float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])


@contextlib.asynccontextmanager
async def engine(url: str = "", appendfsync: str = "no") -> AsyncIterator[Engine]:
    """A new engine, or the one at this URL."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded(appendfsync))
        connections = Connections(parse_url(url, connections=1))
        await connections.open()
        stack.push_async_callback(connections.close)
        yield Engine(url, connections)


@contextlib.asynccontextmanager
async def program(
    command: Sequence[str], address: str, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[psutil.Process]:
    """A server process while the context is open, from the moment at which its port is open."""
    host, _, port = address.rpartition(":")
    with log.open("w") as output:
        one = subprocess.Popen(  # noqa: ASYNC220 - starting one takes no time that matters
            command, env=dict(environment), cwd=log.parent, stdout=output, stderr=output
        )
        try:
            async with asyncio.timeout(_START):
                while True:
                    assert one.poll() is None, f"it ended before it served: see {log}"
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(host, int(port))
                        writer.close()
                        break
                    await asyncio.sleep(0.1)
            yield psutil.Process(one.pid)
        finally:
            one.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(10)
            one.kill()


class Service(Protocol):
    """A server, and how to speak to it."""

    title: str
    about: str
    """Version, settings and patches, for the report."""
    address: str

    @property
    def wire(self) -> type[Http1 | Grpc]:
        """What it speaks."""

    def store(self, number: int) -> Call:
        """Store this memory."""

    def search(self, query: int) -> Call:
        """Search by this query within its user."""

    def ids(self, answer: bytes) -> list[str]:
        """The memories that a search has found, best first."""

    async def settle(self, expected: int) -> None:
        """Return when as many memories are there, or no more come."""

    async def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of the server's processes, and of its engine."""


async def run(service: Service, calls: Sequence[Call], callers: int) -> Outcome:
    """Load a service with these calls."""
    return await load(service.wire, service.address, calls, callers)


def family_cpu(process: psutil.Process) -> float:
    """CPU seconds that a process and its descendants have taken so far."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))
