"""One measurement of a server under h2load, and one of calls in this process."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.harness.h2load import run_h2load
from bench.harness.processes import ServerProcess
from bench.harness.rounds import Call, calls_per_second

CALLERS = 16
ALONE, SEARCHES, STORES = 300, 3000, 1500
"""Calls of one caller; Search and Store calls of all callers."""


@dataclass(frozen=True)
class Measurement:
    """Calls a second of all callers, one caller's median in seconds, and server CPU seconds a call."""

    rate: float
    median: float
    cpu: float = float("nan")


Measure = Callable[[], Awaitable[Measurement]]


def server_measure(server: ServerProcess, address: str, method: str, body: Path) -> Measure:
    """Return the measurement of a server under h2load."""

    async def measure() -> Measurement:
        alone = run_h2load(address, method, body, calls=ALONE, connections=1, streams=1)
        cpu_before = server.cpu_seconds()
        calls = SEARCHES if method == "Search" else STORES
        together = run_h2load(address, method, body, calls=calls, connections=4, streams=CALLERS // 4)
        return Measurement(together.rate, alone.median, (server.cpu_seconds() - cpu_before) / calls)

    return measure


def in_process_measure(call: Call) -> Measure:
    """Return the measurement of calls in this process."""

    async def measure() -> Measurement:
        times = []
        for number in range(ALONE):
            started = time.perf_counter()
            await call(number)
            times.append(time.perf_counter() - started)
        return Measurement(await calls_per_second(call, STORES, CALLERS), statistics.median(times))

    return measure
