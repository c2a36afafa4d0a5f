"""A queue for slow work: it limits concurrency, is fair between callers, and does the same work only once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from memory_service.domain.deadline import without_deadline
from memory_service.domain.fairness import FairWaitingList, Flow, current_flow

T = TypeVar("T")


class _Job(Generic[T]):
    """The work for one key, with the futures of the calls that wait for it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.flow: Flow | None = None
        """The flow whose turn started the job; None while it waits."""
        self.waiters: dict[asyncio.Future[T], None] = {}


class FairQueue(Generic[T]):
    """Runs `work` for keys. Calls with the same key share one job.

    Each call takes its own place in the queue, even if others wait for the same key. The job starts at the first of
    these places, so no call has to wait for the turn of another caller.
    """

    def __init__(self, work: Callable[[str], Awaitable[T]], *, concurrency: int, per_flow: int, capacity: int) -> None:
        """Run at most `concurrency` jobs at a time, at most `per_flow` of one flow. At most `capacity` calls wait."""
        self._work = work
        self._concurrency = concurrency
        self._per_flow = per_flow
        self._running: set[asyncio.Task[None]] = set()
        self._running_per_flow: Counter[Flow] = Counter()
        self._jobs: dict[str, _Job[T]] = {}
        self._waiters: dict[asyncio.Future[T], tuple[_Job[T], Flow]] = {}
        self._waiting_list: FairWaitingList[asyncio.Future[T]] = FairWaitingList(capacity, "the embedding model")

    @property
    def waiting(self) -> int:
        """Calls that wait for their job to start."""
        return len(self._waiting_list)

    def __contains__(self, key: str) -> bool:
        return key in self._jobs

    async def run(self, key: str) -> T:
        """Return the result of the work for this key, or raise its error.

        A job that no call waits for is dropped, unless it is already running.

        Raises:
            ResourceExhausted: the queue is full.
        """
        job = self._jobs.get(key) or _Job[T](key)
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if job.flow is None:
            evicted = self._waiting_list.add(waiter)
            if evicted is not None and not evicted.done():
                evicted.set_exception(self._waiting_list.refusal())
                self._leave(evicted)
        self._jobs[key] = job
        self._waiters[waiter] = job, current_flow()
        job.waiters[waiter] = None
        self._start_jobs()
        try:
            return await waiter
        finally:
            self._waiting_list.remove(waiter)
            self._leave(waiter)
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # Otherwise asyncio warns about an exception that was never retrieved.

    def _leave(self, waiter: "asyncio.Future[T]") -> None:
        if (entry := self._waiters.pop(waiter, None)) is None:
            return
        job, _ = entry
        del job.waiters[waiter]
        if not job.waiters and job.flow is None:
            del self._jobs[job.key]

    def _start_jobs(self) -> None:
        while len(self._running) < self._concurrency:
            flows_at_limit = [flow for flow, count in self._running_per_flow.items() if count >= self._per_flow]
            if (first := self._waiting_list.first(excluding=flows_at_limit)) is None:
                return
            self._waiting_list.pop(first)
            job, flow = self._waiters[first]
            job.flow = flow
            self._running_per_flow[flow] += 1
            for waiter in job.waiters:
                self._waiting_list.remove(waiter)
            # A separate context: the deadline of the first caller must not end the job for the others.
            task = asyncio.create_task(self._run(job), context=without_deadline())
            self._running.add(task)
            task.add_done_callback(partial(self._on_task_done, flow))

    def _on_task_done(self, flow: Flow, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._running_per_flow[flow] -= 1
        if not self._running_per_flow[flow]:
            del self._running_per_flow[flow]
        self._start_jobs()

    async def _run(self, job: _Job[T]) -> None:
        try:
            result = await self._work(job.key)
        except asyncio.CancelledError:
            for waiter in job.waiters:
                waiter.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - every waiting call raises it
            for waiter in [waiter for waiter in job.waiters if not waiter.done()]:
                waiter.set_exception(error)
        else:
            for waiter in [waiter for waiter in job.waiters if not waiter.done()]:
                waiter.set_result(result)
        finally:
            del self._jobs[job.key]
