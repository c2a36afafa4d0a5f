"""Fair queueing between callers, so that no caller starves the others.

Waiting work is served round-robin between callers and, within a caller, between its users. A caller with a thousand
texts in the queue delays the text of another caller by one turn. The same applies between the users of one backend, and
to anonymous callers.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Collection
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

from memory_service.domain.errors import Reason, ResourceExhausted

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Flow:
    """The caller and user that a call works for.

    `user` is the user that the call concerns, "" for several users. `batch`: a batch does not share a queue with the
    other calls of the same user.
    """

    caller: str = ""
    user: str = ""
    batch: bool = False

    @property
    def queue_key(self) -> tuple[str, bool]:
        """The queue of this flow among the caller's queues."""
        return self.user, self.batch


_flow: ContextVar[Flow] = ContextVar("flow", default=Flow())  # noqa: B039 - it is frozen


def set_flow(flow: Flow) -> None:
    """Attribute the work of the current task, and of all tasks that it starts, to this flow."""
    _flow.set(flow)


def current_flow() -> Flow:
    """Return the flow that the current task works for."""
    return _flow.get()


class FairWaitingList(Generic[T]):
    """A queue of at most `capacity` items that serves flows round-robin."""

    def __init__(self, capacity: int, what: str) -> None:
        """`what` completes the error "too many calls wait for …"."""
        self._capacity = capacity
        self._what = what
        self._flows: dict[T, Flow] = {}
        self._waiting: Counter[str] = Counter()
        # Per caller, the queues of its flows; callers, queues and items are each in the order of their turns.
        self._callers: OrderedDict[str, OrderedDict[tuple[str, bool], OrderedDict[T, None]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flows)

    def add(self, item: T) -> T | None:
        """Append an item to the queue of the current flow; return the item that was evicted for it, if any.

        A full list evicts the last item of the caller with the most items.

        Raises:
            ResourceExhausted: the list is full and no other flow has more items in it.
        """
        flow = _flow.get()
        evicted = self._longest_except(flow) if len(self._flows) >= self._capacity else None
        if evicted is not None:
            self.remove(evicted)
        self._flows[item] = flow
        self._waiting[flow.caller] += 1
        self._callers.setdefault(flow.caller, OrderedDict()).setdefault(flow.queue_key, OrderedDict())[item] = None
        return evicted

    def first(self, excluding: Collection[Flow] = ()) -> T | None:
        """Return the next item of any flow except these, without removing it; None if there is none."""
        heads = (next(iter(items)) for queues in self._callers.values() for items in queues.values())
        return next((item for item in heads if self._flows[item] not in excluding), None)

    def pop(self, item: T) -> None:
        """Remove an item that `first` returned and end the turn of its flow."""
        flow = self._flows[item]
        self._callers.move_to_end(flow.caller)
        self._callers[flow.caller].move_to_end(flow.queue_key)
        self.remove(item)

    def remove(self, item: T) -> None:
        """Remove an item if it is in the list."""
        flow = self._flows.pop(item, None)
        if flow is None:
            return
        self._waiting[flow.caller] -= 1
        queues = self._callers[flow.caller]
        del queues[flow.queue_key][item]
        if not queues[flow.queue_key]:
            del queues[flow.queue_key]
        if not queues:
            del self._callers[flow.caller], self._waiting[flow.caller]

    def refusal(self) -> ResourceExhausted:
        """Return the error for a call that does not get a turn."""
        message = f"too many calls wait for {self._what}: retry at a lower rate"
        return ResourceExhausted(Reason.OVERLOADED, message, retry_after=1.0)

    def _longest_except(self, flow: Flow) -> T:
        """Return the last item of the longest queue of the busiest caller, unless its flow would then have fewer items
        than this one."""
        caller, most = max(self._waiting.items(), key=lambda entry: entry[1], default=("", 0))
        if most <= self._waiting[flow.caller] + 1:
            caller = flow.caller
        queues = self._callers.get(caller, OrderedDict())
        longest = max(queues.values(), key=len, default=OrderedDict[T, None]())
        own = len(queues.get(flow.queue_key, ())) if caller == flow.caller else -1
        if len(longest) <= own + 1:
            raise self.refusal()
        return next(reversed(longest))


class Grant:
    """A share of a budget that a call occupies until it releases it."""

    def __init__(self, budget: "FairBudget", flow: Flow, size: int) -> None:
        self._budget = budget
        self.flow = flow
        self.size = size
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def shrink(self, size: int) -> None:
        """Return everything beyond `size` to the budget."""
        self._budget.resize(self, min(size, self.size))

    def release(self) -> None:
        """Return the complete grant to the budget."""
        self._budget.resize(self, 0)


class FairBudget:
    """A limited amount of a resource, such as bytes or connections. Calls wait in a fair queue until enough is free."""

    def __init__(self, amount: int, *, capacity: int, what: str, per_flow: int | None = None) -> None:
        """At most `capacity` calls wait. One flow occupies at most `per_flow`, by default the full amount. `what`
        completes the error "too many calls wait for …"."""
        self._amount = amount
        self._per_flow = per_flow or amount
        self._free = amount
        self._used: Counter[Flow] = Counter()
        self._queue: FairWaitingList[Grant] = FairWaitingList(capacity, what)

    @property
    def waiting(self) -> int:
        """The number of waiting calls."""
        return len(self._queue)

    @contextlib.asynccontextmanager
    async def reserve(self, size: int, *, max_wait: float | None = None) -> AsyncIterator[Grant]:
        """Occupy `size` while the context is open; see `acquire`."""
        grant = await self.acquire(size, max_wait=max_wait)
        try:
            yield grant
        finally:
            grant.release()

    async def acquire(self, size: int, *, max_wait: float | None = None) -> Grant:
        """Return a grant of `size`, or of all that one flow may have if that is less. The caller must release it.

        `max_wait` is in seconds; None waits until the caller is cancelled.

        Raises:
            ResourceExhausted: too many calls wait, or `max_wait` has passed.
        """
        grant = Grant(self, current_flow(), min(size, self._per_flow))
        if not self._queue and self._fits(grant):
            self._give(grant)
            return grant
        evicted = self._queue.add(grant)
        if evicted is not None and not evicted.granted.done():
            evicted.granted.set_exception(self._queue.refusal())
        self._give_to_waiting()
        try:
            async with asyncio.timeout(max_wait):
                await grant.granted
        except BaseException as error:
            self._queue.remove(grant)
            if grant.granted.done() and not grant.granted.cancelled() and grant.granted.exception() is None:
                grant.release()  # The budget granted it while the call was giving up.
            self._give_to_waiting()
            if isinstance(error, TimeoutError):
                raise self._queue.refusal() from error
            raise
        return grant

    def resize(self, grant: Grant, size: int) -> None:
        """Set the size of a grant to at most its present one; used by Grant."""
        self._free += grant.size - size
        self._used[grant.flow] -= grant.size - size
        grant.size = size
        if not self._used[grant.flow]:
            del self._used[grant.flow]
        self._give_to_waiting()

    def _fits(self, grant: Grant) -> bool:
        return grant.size <= self._free and self._used[grant.flow] + grant.size <= self._per_flow

    def _give(self, grant: Grant) -> None:
        self._free -= grant.size
        self._used[grant.flow] += grant.size
        grant.granted.set_result(None)

    def _give_to_waiting(self) -> None:
        full: set[Flow] = set()
        while (first := self._queue.first(excluding=full)) is not None:
            if first.granted.done():  # Its call gave up or was evicted.
                self._queue.remove(first)
            elif self._fits(first):
                self._queue.pop(first)
                self._give(first)
            elif first.size <= self._free:
                full.add(first.flow)
            else:
                return
