"""Rounds of a library: a worker process in the library's environment makes the calls, on an engine of its own."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.engine import connected_engine
from bench.peers.environments import Environment
from bench.peers.plan import CALLERS, Measurement, Plan, count_missing
from bench.peers.services.semantic_memory_server import SemanticMemoryServer
from bench.peers.versions import BETTERDB, LANGGRAPH, MEM0, Peer
from bench.peers.workload import Workload

_ROOT = Path(__file__).parents[2]
_LINE_LIMIT = 2**28
"""Bytes in a line of a worker's output."""


@dataclass(frozen=True)
class Library:
    """A peer, the module that calls it, and its settings in words."""

    title: str
    peer: Peer
    module: str
    settings: str
    options: Sequence[str] = ()


LIBRARIES = {
    "betterdb": Library(
        "BetterDB agent-memory", BETTERDB, "betterdb", "asyncio, HNSW, weight of similarity 1, no threshold"
    ),
    "betterdb-plain": Library(
        *("BetterDB, reinforce=False", BETTERDB, "betterdb", "the same without reinforcement of the results"),
        options=("plain",),
    ),
    "mem0": Library(
        *("mem0", MEM0, "mem0_valkey"),
        "threads, Valkey store, HNSW, infer=False, threshold 0, history in memory, no telemetry",
    ),
    "mem0-unsorted": Library(
        *("mem0, unsorted", MEM0, "mem0_valkey", "the same without the second patch"), options=("unsorted",)
    ),
    "langgraph": Library("langgraph ValkeyStore", LANGGRAPH, "langgraph_valkey", "threads, HNSW, one field indexed"),
}


class LibraryBenchmark:
    """A library under measurement."""

    def __init__(
        self,
        title: str,
        about: str,
        worker: asyncio.subprocess.Process,
        other_cpu: Callable[[], Awaitable[float]],
        work: Workload,
        plan: Plan,
    ) -> None:
        """`other_cpu` returns the CPU time so far of everything behind the worker."""
        self.title, self.about = title, about
        self._worker, self._other_cpu, self._work, self._plan = worker, other_cpu, work, plan

    async def fill(self) -> None:
        """Store the initial memories."""
        await self._command("store", range(self._work.initial), CALLERS)

    async def search_round(self) -> Measurement:
        """Measure one round of Search."""
        alone, together = self._plan.searches_of(self._work)
        measurement, ids = await self._measure("search", alone, together)
        return replace(measurement, quality=self._work.recall(together, ids))

    async def store_round(self, number: int) -> Measurement:
        """Measure the round of Store with this number."""
        alone, together = self._plan.stores_of(self._work, number)
        measurement, _ = await self._measure("store", alone, together)
        stored = [*alone, *together]
        ids = (await self._command("search", stored, CALLERS))["ids"]
        return replace(measurement, quality=count_missing(stored, ids))

    async def _measure(
        self, method: str, alone: Sequence[int], together: Sequence[int]
    ) -> tuple[Measurement, list[list[str]]]:
        one = await self._command(method, alone, 1)
        other_before = await self._other_cpu()
        many = await self._command(method, together, CALLERS)
        other = (await self._other_cpu() - other_before) / len(together)
        own = many["cpu"] / len(together)
        rate = len(together) / many["seconds"]
        measurement = Measurement(rate, _percentiles(one), _percentiles(many), own, own + other, quality=0)
        return measurement, many["ids"]

    async def _command(self, method: str, numbers: Sequence[int], callers: int) -> Any:
        assert self._worker.stdin is not None
        command = {"method": method, "numbers": list(numbers), "callers": callers}
        self._worker.stdin.write(json.dumps(command).encode() + b"\n")
        return await _read_result(self._worker)


def _percentiles(result: Any) -> tuple[float, float]:
    return float(np.percentile(result["times"], 50)), float(np.percentile(result["times"], 99))


async def _read_result(worker: asyncio.subprocess.Process) -> Any:
    assert worker.stdout is not None
    line = await worker.stdout.readline()
    assert line, "the worker ended: see standard error"
    return json.loads(line)


@contextlib.asynccontextmanager
async def _worker(python: str, module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker while the context is open. Its own output goes to standard error."""
    worker = await asyncio.create_subprocess_exec(
        *(python, "-m", f"bench.peers.libraries.{module}", *arguments),
        cwd=_ROOT,
        env={**os.environ, "BETTERDB_TELEMETRY": "false"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
    )
    try:
        assert await _read_result(worker) == "ready"
        yield worker
    finally:
        if worker.returncode is None:
            worker.terminate()
            await worker.wait()


@contextlib.asynccontextmanager
async def library_benchmark(
    library: Library, environment: Environment, work: Workload, plan: Plan, folder: Path
) -> AsyncIterator[LibraryBenchmark]:
    """Run a peer's library on a new engine while the context is open."""
    async with connected_engine() as engine:
        peer = library.peer
        patches = peer.patches if not library.options else ()  # With options, the settings name the difference.
        about = "; ".join((f"{peer.package} {peer.version}, {library.settings}", *patches))
        arguments = (str(folder), engine.redis_url, *library.options)
        async with _worker(str(environment.bin / "python"), library.module, *arguments) as worker:
            yield LibraryBenchmark(library.title, about, worker, engine.cpu_seconds, work, plan)


@contextlib.asynccontextmanager
async def client_benchmark(
    server: SemanticMemoryServer, work: Workload, plan: Plan, folder: Path
) -> AsyncIterator[LibraryBenchmark]:
    """Run this project's client against a server while the context is open."""

    async def other_cpu() -> float:
        return sum(await server.cpu_seconds())

    async with _worker(sys.executable, "semantic_memory_client", str(folder), server.address) as worker:
        about = "the Python client of this checkout, asyncio, to a server: one hop more than the others"
        yield LibraryBenchmark("semantic_memory client", about, worker, other_cpu, work, plan)
