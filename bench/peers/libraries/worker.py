"""A process that calls a library: it reads a command as a line of JSON and writes the result as another."""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from bench.peers.workload import Workload, memory_id


class AsyncAdapter(Protocol):
    """A library of coroutines."""

    async def store(self, number: int) -> None:
        """Store this memory."""

    async def search(self, query: int) -> list[str]:
        """Return the texts of this query's results within its user, best first."""


class BlockingAdapter(Protocol):
    """A library of functions, called from threads."""

    def store(self, number: int) -> None:
        """Store this memory."""

    def search(self, query: int) -> list[str]:
        """Return the texts of this query's results within its user, best first."""


class EmbeddingLookup:
    """The workload's embeddings by text, as the lists of numbers that libraries accept."""

    def __init__(self, work: Workload) -> None:
        self._vectors: dict[str, list[float]] = {
            text: vector.tolist() for text, vector in zip(work.texts, work.vectors, strict=True)
        }

    def __call__(self, text: str) -> list[float]:
        return self._vectors[text]


def main(
    open_adapter: Callable[[Workload, list[str]], AbstractAsyncContextManager[AsyncAdapter | BlockingAdapter]],
) -> None:
    """Run the commands on standard input with this adapter."""
    # The library's own output goes to standard error: standard output is for results only.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = Workload.load(Path(sys.argv[1]))
    ids_by_text = {text: memory_id(number) for number, text in enumerate(work.texts)}

    async def run() -> None:
        async with open_adapter(work, sys.argv[2:]) as adapter:
            print(json.dumps("ready"), file=output, flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                command = json.loads(line)
                call = getattr(adapter, command["method"])
                load = _load_by_tasks if asyncio.iscoroutinefunction(call) else _load_by_threads
                cpu_before, started = time.process_time(), time.perf_counter()
                times, results = await load(call, command["numbers"], command["callers"])
                seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_before
                ids = [[ids_by_text[text] for text in texts or ()] for texts in results]
                result = {"seconds": seconds, "cpu": cpu, "times": times, "ids": ids}
                print(json.dumps(result), file=output, flush=True)

    asyncio.run(run())


async def _load_by_tasks(
    call: Callable[[int], Awaitable[Any]], numbers: Sequence[int], callers: int
) -> tuple[list[float], list[Any]]:
    times, results = [0.0] * len(numbers), [None] * len(numbers)
    places = iter(range(len(numbers)))

    async def caller() -> None:
        for place in places:
            started = time.perf_counter()
            results[place] = await call(numbers[place])
            times[place] = time.perf_counter() - started

    await asyncio.gather(*(caller() for _ in range(callers)))
    return times, results


async def _load_by_threads(
    call: Callable[[int], Any], numbers: Sequence[int], callers: int
) -> tuple[list[float], list[Any]]:
    times, results = [0.0] * len(numbers), [None] * len(numbers)
    places, lock = iter(range(len(numbers))), threading.Lock()

    def caller() -> None:
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                return
            started = time.perf_counter()
            results[place] = call(numbers[place])
            times[place] = time.perf_counter() - started

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(asyncio.to_thread(caller))
    return times, results
