"""What is measured, of services and of libraries alike."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.peers.services.service import Service, run
from bench.peers.workload import Workload, name

CALLERS = 16
_REST = 30.0
"""Seconds that a service may still be busy after its last answer."""
_CHUNK = 100
"""So many memories are stored before anything is measured, then all of them are waited for: one peer that answers
before it stores breaks down under more."""


@dataclass(frozen=True)
class Plan:
    """How much is done in each round."""

    rounds: int
    searches: int
    stores: int
    alone: int
    """Calls of one caller, for either; the others are of sixteen."""

    @property
    def stored(self) -> int:
        """Memories stored in all rounds."""
        return self.rounds * (self.stores + self.alone)

    def stores_of(self, work: Workload, number: int) -> tuple[range, range]:
        """What is stored in this round, by one caller and by sixteen."""
        first = work.filled + number * (self.stores + self.alone)
        return range(first, first + self.alone), range(first + self.alone, first + self.alone + self.stores)

    def searches_of(self, work: Workload) -> tuple[Sequence[int], Sequence[int]]:
        """What is searched for in each round, by one caller and by sixteen."""
        queries = work.queries
        return [queries[n % len(queries)] for n in range(self.alone)], [
            queries[n % len(queries)] for n in range(self.searches)
        ]


@dataclass(frozen=True)
class Figures:
    """Of one method in one round; times in seconds."""

    rate: float
    """Calls a second of sixteen callers; of Store, until all can be found."""
    alone: tuple[float, float]
    """One caller's median and 99th percentile."""
    together: tuple[float, float]
    """The same of sixteen callers."""
    cpu: float
    """CPU seconds a call of the server, or of the process that calls a library."""
    all_cpu: float
    """The same with all that works for it: its engine and, for our client, our server."""
    quality: float
    """Of Search recall@10; of Store how many of the memories are not found afterwards."""


class Measured(Protocol):
    """A service or a library."""

    title: str
    about: str

    async def fill(self) -> None:
        """Store what is there from the beginning."""

    async def search(self) -> Figures:
        """One round of Search."""

    async def store(self, number: int) -> Figures:
        """The round of Store with this number."""


class Loaded:
    """A service under load."""

    def __init__(self, service: Service, work: Workload, plan: Plan) -> None:
        self.title, self.about = service.title, service.about
        self.own_cpu: list[float] = []
        """The load generator's own CPU seconds a call, of each run."""
        self.work, self.plan, self._service = work, plan, service

    async def fill(self) -> None:
        """Store what is there from the beginning."""
        for first in range(0, self.work.filled, _CHUNK):
            numbers = range(first, min(first + _CHUNK, self.work.filled))
            await run(self._service, [self._service.store(one) for one in numbers], CALLERS)
            await self._service.settle(numbers.stop)

    async def search(self) -> Figures:
        """One round of Search."""
        alone, together = self.plan.searches_of(self.work)
        one = await run(self._service, [self._service.search(query) for query in alone], 1)
        before = await self._service.cpu()
        many = await run(self._service, [self._service.search(query) for query in together], CALLERS)
        after = await self._service.cpu()
        self.own_cpu.append(many.own_cpu)
        server, engine = ((now - then) / len(together) for now, then in zip(after, before, strict=True))
        return Figures(
            len(together) / many.seconds,
            (one.percentile(50), one.percentile(99)),
            (many.percentile(50), many.percentile(99)),
            server,
            server + engine,
            self.work.recall(together, [self._service.ids(answer) for answer in many.answers]),
        )

    async def store(self, number: int) -> Figures:
        """The round of Store with this number."""
        alone, together = self.plan.stores_of(self.work, number)
        one = await run(self._service, [self._service.store(memory) for memory in alone], 1)
        await self._service.settle(alone.stop)
        before, started = await self._service.cpu(), time.perf_counter()
        many = await run(self._service, [self._service.store(memory) for memory in together], CALLERS)
        await self._service.settle(together.stop)
        seconds = time.perf_counter() - started
        after = await self._service.cpu()
        self.own_cpu.append(many.own_cpu)
        server, engine = ((now - then) / len(together) for now, then in zip(after, before, strict=True))
        missing = await self._missing([*alone, *together])
        await self._rest()
        return Figures(
            len(together) / seconds,
            (one.percentile(50), one.percentile(99)),
            (many.percentile(50), many.percentile(99)),
            server,
            server + engine,
            missing,
        )

    async def _rest(self) -> None:
        """Wait until it takes no more CPU time: what one still does after its answers is not to slow the next one."""
        deadline, used = time.monotonic() + _REST, -1.0
        while (now := sum(await self._service.cpu())) > used + 0.02 and time.monotonic() < deadline:
            used = now
            await asyncio.sleep(0.5)

    async def _missing(self, numbers: Sequence[int]) -> int:
        """How many of these a search by their own embedding does not find among the first ten."""
        found = await run(self._service, [self._service.search(number) for number in numbers], CALLERS)
        answers = zip(numbers, found.answers, strict=True)
        return sum(name(number) not in self._service.ids(answer) for number, answer in answers)
