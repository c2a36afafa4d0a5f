"""Libraries, each in a process of its own with an engine of its own."""

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

from bench.peers.environments import BETTERDB, LANGGRAPH, MEM0, Environment, Peer
from bench.peers.measure import CALLERS, Figures, Plan
from bench.peers.services.semantic_memory_server import Ours
from bench.peers.services.service import engine
from bench.peers.workload import Workload, name

_ROOT = Path(__file__).parents[3]
_LIMIT = 2**28
"""Bytes in a line of answers."""


@dataclass(frozen=True)
class Library:
    """A peer, the module that calls it, and how."""

    title: str
    peer: Peer
    module: str
    about: str
    options: Sequence[str] = ()


LIBRARIES = {
    "betterdb": Library(
        "BetterDB agent-memory", BETTERDB, "betterdb", "asyncio, HNSW, weight of similarity 1, no threshold"
    ),
    "betterdb-plain": Library(
        *("BetterDB, reinforce=False", BETTERDB, "betterdb", "the same without reinforcement of what is found"),
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


class Child:
    """A process that calls a library, and what it tells."""

    def __init__(
        self,
        title: str,
        about: str,
        process: asyncio.subprocess.Process,
        others: Callable[[], Awaitable[float]],
        work: Workload,
        plan: Plan,
    ) -> None:
        self.title, self.about = title, about
        self._process, self._others, self._work, self._plan = process, others, work, plan

    async def fill(self) -> None:
        """Store what is there from the beginning."""
        await self._order("store", range(self._work.filled), CALLERS)

    async def search(self) -> Figures:
        """One round of Search."""
        alone, together = self._plan.searches_of(self._work)
        figures, found = await self._measure("search", alone, together)
        return replace(figures, quality=self._work.recall(together, found))

    async def store(self, number: int) -> Figures:
        """The round of Store with this number."""
        alone, together = self._plan.stores_of(self._work, number)
        figures, _ = await self._measure("store", alone, together)
        stored = [*alone, *together]
        found = (await self._order("search", stored, CALLERS))["found"]
        return replace(figures, quality=sum(name(one) not in ids for one, ids in zip(stored, found, strict=True)))

    async def _measure(
        self, method: str, alone: Sequence[int], together: Sequence[int]
    ) -> tuple[Figures, list[list[str]]]:
        one = await self._order(method, alone, 1)
        before = await self._others()
        many = await self._order(method, together, CALLERS)
        others = (await self._others() - before) / len(together)
        own = many["cpu"] / len(together)
        rate = len(together) / many["seconds"]
        return Figures(rate, _percentiles(one), _percentiles(many), own, own + others, quality=0), many["found"]

    async def _order(self, method: str, numbers: Sequence[int], callers: int) -> Any:
        assert self._process.stdin is not None
        order = {"method": method, "numbers": list(numbers), "callers": callers}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return await answer(self._process)


def _percentiles(told: Any) -> tuple[float, float]:
    return float(np.percentile(told["times"], 50)), float(np.percentile(told["times"], 99))


async def answer(process: asyncio.subprocess.Process) -> Any:
    """Its next one."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "it ended: standard error tells why"
    return json.loads(line)


@contextlib.asynccontextmanager
async def started(python: str, module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child that is ready. What it says goes to standard error."""
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", f"bench.peers.libraries.{module}", *arguments),
        cwd=_ROOT,
        env={**os.environ, "BETTERDB_TELEMETRY": "false"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LIMIT,
    )
    try:
        assert await answer(process) == "ready"
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@contextlib.asynccontextmanager
async def library(
    one: Library, installed: Environment, work: Workload, plan: Plan, folder: Path
) -> AsyncIterator[Child]:
    """A peer's library on a new engine."""
    async with engine() as its_engine:
        patches = one.peer.patches if not one.options else ()  # With options, it is told what differs.
        about = "; ".join((f"{one.peer.package} {one.peer.version}, {one.about}", *patches))
        arguments = (str(folder), its_engine.redis_url, *one.options)
        async with started(str(installed.bin / "python"), one.module, *arguments) as process:
            yield Child(one.title, about, process, its_engine.cpu, work, plan)


@contextlib.asynccontextmanager
async def our_library(us: Ours, work: Workload, plan: Plan, folder: Path) -> AsyncIterator[Child]:
    """Our client, to this server."""

    async def others() -> float:
        return sum(await us.cpu())

    async with started(sys.executable, "semantic_memory_client", str(folder), us.address) as process:
        about = "the Python client of this checkout, asyncio, to a server: one hop more than the others"
        yield Child("semantic_memory client", about, process, others, work, plan)
