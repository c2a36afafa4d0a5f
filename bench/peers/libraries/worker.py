"""A process that calls a library: orders come as lines of JSON, and figures go back as such."""

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

from bench.peers.workload import Workload, name


class Asking(Protocol):
    """A library of coroutines."""

    async def store(self, number: int) -> None:
        """Store this memory."""

    async def search(self, query: int) -> list[str]:
        """The texts found for this query within its user, best first."""


class Blocking(Protocol):
    """A library of functions, called by threads."""

    def store(self, number: int) -> None:
        """Store this memory."""

    def search(self, query: int) -> list[str]:
        """The texts found for this query within its user, best first."""


class Lookup:
    """Embeddings by text, made beforehand, as the list of numbers that libraries take."""

    def __init__(self, work: Workload) -> None:
        self._known: dict[str, list[float]] = {
            text: vector.tolist() for text, vector in zip(work.texts, work.vectors, strict=True)
        }

    def __call__(self, text: str) -> list[float]:
        return self._known[text]


def main(opens: Callable[[Workload, list[str]], AbstractAsyncContextManager[Asking | Blocking]]) -> None:
    """Obey the orders on standard input, with the library that this opens."""
    # What a library prints goes elsewhere: standard output is for answers alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = Workload.load(Path(sys.argv[1]))
    names = {text: name(number) for number, text in enumerate(work.texts)}

    async def obey() -> None:
        async with opens(work, sys.argv[2:]) as library:
            print(json.dumps("ready"), file=answers, flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                order = json.loads(line)
                call = getattr(library, order["method"])
                load = _asked if asyncio.iscoroutinefunction(call) else _threaded
                cpu, started = time.process_time(), time.perf_counter()
                times, found = await load(call, order["numbers"], order["callers"])
                figures = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "times": times}
                found = [[names[text] for text in texts or ()] for texts in found]
                print(json.dumps({**figures, "found": found}), file=answers, flush=True)

    asyncio.run(obey())


async def _asked(
    call: Callable[[int], Awaitable[Any]], numbers: Sequence[int], callers: int
) -> tuple[list[float], list[Any]]:
    times, found = [0.0] * len(numbers), [None] * len(numbers)
    places = iter(range(len(numbers)))

    async def caller() -> None:
        for place in places:
            began = time.perf_counter()
            found[place] = await call(numbers[place])
            times[place] = time.perf_counter() - began

    await asyncio.gather(*(caller() for _ in range(callers)))
    return times, found


async def _threaded(call: Callable[[int], Any], numbers: Sequence[int], callers: int) -> tuple[list[float], list[Any]]:
    times, found = [0.0] * len(numbers), [None] * len(numbers)
    places, taking = iter(range(len(numbers))), threading.Lock()

    def caller() -> None:
        while True:
            with taking:
                place = next(places, None)
            if place is None:
                return
            began = time.perf_counter()
            found[place] = call(numbers[place])
            times[place] = time.perf_counter() - began

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(asyncio.to_thread(caller))
    return times, found
