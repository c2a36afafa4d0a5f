"""Runs work that takes long, a bounded number at once, in turn between callers, and once for all who wait for it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from memory_service.domain.deadline import without_deadline
from memory_service.domain.fairness import FairWaitingList, Flow, current_flow

T = TypeVar("T")


class _Job(Generic[T]):
    """One piece of work, with the futures of those who wait for it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.flow: Flow | None = None
        """For whose turn it was started; None while it waits."""
        self.waiters: dict[asyncio.Future[T], None] = {}


class FairQueue(Generic[T]):
    """Runs `work` for keys. Who asks for a key that others wait for already takes a place of their own in the line: the
    work is done when the first of these places is reached, so that nobody waits in the line of another caller."""

    def __init__(self, work: Callable[[str], Awaitable[T]], *, at_once: int, per_flow: int, capacity: int) -> None:
        """At most `at_once` pieces of work run at the same time, of which `per_flow` for one flow; and at most
        `capacity` calls wait."""
        self._work = work
        self._at_once = at_once
        self._per_flow = per_flow
        self._running: set[asyncio.Task[None]] = set()
        self._running_of: Counter[Flow] = Counter()
        self._jobs: dict[str, _Job[T]] = {}
        self._waiters: dict[asyncio.Future[T], tuple[_Job[T], Flow]] = {}
        self._line: FairWaitingList[asyncio.Future[T]] = FairWaitingList(capacity, "the embedding model")

    @property
    def waiting(self) -> int:
        """Calls in the line."""
        return len(self._line)

    def __contains__(self, key: str) -> bool:
        return key in self._jobs

    async def run(self, key: str) -> T:
        """Return the outcome of the work for this key. Work that nobody waits for any more is dropped, unless it runs.

        Raises:
            ResourceExhausted: the line is full.
        """
        job = self._jobs.get(key) or _Job[T](key)
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if job.flow is None:
            lost = self._line.add(waiter)
            if lost is not None and not lost.done():
                lost.set_exception(self._line.refusal())
                self._leave(lost)
        self._jobs[key] = job
        self._waiters[waiter] = job, current_flow()
        job.waiters[waiter] = None
        self._start()
        try:
            return await waiter
        finally:
            self._line.remove(waiter)
            self._leave(waiter)
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # asyncio complains of errors that nobody saw

    def _leave(self, waiter: "asyncio.Future[T]") -> None:
        if (entry := self._waiters.pop(waiter, None)) is None:
            return
        job, _ = entry
        del job.waiters[waiter]
        if not job.waiters and job.flow is None:
            del self._jobs[job.key]

    def _start(self) -> None:
        while len(self._running) < self._at_once:
            full = [flow for flow, count in self._running_of.items() if count >= self._per_flow]
            if (first := self._line.first(excluding=full)) is None:
                return
            self._line.pop(first)
            job, flow = self._waiters[first]
            job.flow = flow
            self._running_of[flow] += 1
            for waiter in job.waiters:
                self._line.remove(waiter)
            # Its own context: the first caller's deadline must not end it for the others.
            task = asyncio.create_task(self._run(job), context=without_deadline())
            self._running.add(task)
            task.add_done_callback(partial(self._ended, flow))

    def _ended(self, flow: Flow, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._running_of[flow] -= 1
        if not self._running_of[flow]:
            del self._running_of[flow]
        self._start()

    async def _run(self, job: _Job[T]) -> None:
        try:
            outcome = await self._work(job.key)
        except asyncio.CancelledError:
            for waiter in job.waiters:
                waiter.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - each who waits raises it
            for waiter in [one for one in job.waiters if not one.done()]:
                waiter.set_exception(error)
        else:
            for waiter in [one for one in job.waiters if not one.done()]:
                waiter.set_result(outcome)
        finally:
            del self._jobs[job.key]
