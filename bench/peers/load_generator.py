"""A load generator that sends different requests over HTTP/1.1 or gRPC, the same for every service.

h2load, which the other benchmarks use, sends one body again and again. Here every request must differ: peers need ids
from the caller, and an HNSW graph of one repeated vector measures nothing. This one costs tens of microseconds a call:
see `LoadResult.own_cpu`. `bench.peers` compares it with h2load.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.peers.connections import GrpcConnection, Http1Connection, Request


@dataclass
class LoadResult:
    """The outcome of some calls."""

    seconds: float
    """From the first request to the last response."""
    times: list[float]
    """Seconds of each call."""
    responses: list[bytes]
    """In the order of the requests."""
    own_cpu: float
    """The load generator's own CPU seconds a call."""

    def percentile(self, percent: float) -> float:
        """Return a percentile of the times."""
        return float(np.percentile(self.times, percent))


async def run_load(
    protocol: type[Http1Connection | GrpcConnection], address: str, requests: Sequence[Request], callers: int
) -> LoadResult:
    """Send all requests from this many callers, each with a connection of its own."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: protocol(address), host, int(port)) for _ in range(callers)]
    times, responses = [0.0] * len(requests), [b""] * len(requests)
    numbers = iter(range(len(requests)))

    async def caller(connection: Http1Connection | GrpcConnection) -> None:
        for number in numbers:
            started = time.perf_counter()
            responses[number] = await connection.call(requests[number])
            times[number] = time.perf_counter() - started

    cpu_before, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(connection) for _, connection in opened))
    seconds, own_cpu = time.perf_counter() - started, time.process_time() - cpu_before
    for transport, _ in opened:
        transport.close()
    return LoadResult(seconds, times, responses, own_cpu / len(requests))
