"""Rounds of a service under load."""

import asyncio
import time
from collections.abc import Sequence

from bench.peers.load_generator import LoadResult, run_load
from bench.peers.plan import CALLERS, Measurement, Plan, count_missing
from bench.peers.services.protocol import Service
from bench.peers.workload import Workload

_IDLE_TIMEOUT = 30.0
"""Seconds that a service may stay busy after its last response."""
_FILL_BATCH = 100
"""Initial memories to store before the next wait: a peer that responds before it stores fails under more at once."""


class ServiceBenchmark:
    """A service under measurement."""

    def __init__(self, service: Service, work: Workload, plan: Plan) -> None:
        self.title, self.about = service.title, service.about
        self.own_cpu: list[float] = []
        """The load generator's own CPU seconds a call, of each run."""
        self._service, self._work, self._plan = service, work, plan

    async def fill(self) -> None:
        """Store the initial memories."""
        for first in range(0, self._work.initial, _FILL_BATCH):
            numbers = range(first, min(first + _FILL_BATCH, self._work.initial))
            await self._store(numbers, CALLERS)
            await self._service.wait_until_stored(numbers.stop)

    async def search_round(self) -> Measurement:
        """Measure one round of Search."""
        alone, together = self._plan.searches_of(self._work)
        one = await self._search(alone, 1)
        cpu_before = await self._service.cpu_seconds()
        many = await self._search(together, CALLERS)
        cpu_after = await self._service.cpu_seconds()
        recall = self._work.recall(together, self._ids(many))
        return self._measurement(one, many, many.seconds, (cpu_before, cpu_after), recall)

    async def store_round(self, number: int) -> Measurement:
        """Measure the round of Store with this number."""
        alone, together = self._plan.stores_of(self._work, number)
        one = await self._store(alone, 1)
        await self._service.wait_until_stored(alone.stop)
        cpu_before, started = await self._service.cpu_seconds(), time.perf_counter()
        many = await self._store(together, CALLERS)
        await self._service.wait_until_stored(together.stop)
        seconds, cpu_after = time.perf_counter() - started, await self._service.cpu_seconds()
        stored = [*alone, *together]
        missing = count_missing(stored, self._ids(await self._search(stored, CALLERS)))
        await self._wait_until_idle()
        return self._measurement(one, many, seconds, (cpu_before, cpu_after), missing)

    def _measurement(
        self,
        one: LoadResult,
        many: LoadResult,
        seconds: float,
        cpu: tuple[tuple[float, float], tuple[float, float]],
        quality: float,
    ) -> Measurement:
        self.own_cpu.append(many.own_cpu)
        count = len(many.times)
        server, engine = ((after - before) / count for before, after in zip(*cpu, strict=True))
        return Measurement(
            count / seconds,
            (one.percentile(50), one.percentile(99)),
            (many.percentile(50), many.percentile(99)),
            server,
            server + engine,
            quality,
        )

    async def _store(self, numbers: Sequence[int], callers: int) -> LoadResult:
        requests = [self._service.store_request(number) for number in numbers]
        return await run_load(self._service.protocol, self._service.address, requests, callers)

    async def _search(self, queries: Sequence[int], callers: int) -> LoadResult:
        requests = [self._service.search_request(query) for query in queries]
        return await run_load(self._service.protocol, self._service.address, requests, callers)

    def _ids(self, result: LoadResult) -> list[list[str]]:
        return [self._service.result_ids(response) for response in result.responses]

    async def _wait_until_idle(self) -> None:
        """Wait until it uses no more CPU time: work after the responses must not slow the next product."""
        deadline, used = time.monotonic() + _IDLE_TIMEOUT, -1.0
        while (now := sum(await self._service.cpu_seconds())) > used + 0.02 and time.monotonic() < deadline:
            used = now
            await asyncio.sleep(0.5)
