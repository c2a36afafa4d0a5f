"""Turns between callers, so that none takes the service from the others.

Work that waits is served caller by caller, and within a caller user by user. So a caller with a thousand texts in line
delays another one's text by one turn, not by a thousand; the same holds between the users of one backend, and where
callers are not known.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Collection
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

from memory_service.memory.errors import Exhausted, Reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Flow:
    """Whose work the call in progress is. `user` is the one user that it concerns, "" for several; a batch does not
    wait in one line with the same user's other calls."""

    caller: str = ""
    user: str = ""
    batch: bool = False

    @property
    def line(self) -> tuple[str, bool]:
        """The line within the caller's lines."""
        return self.user, self.batch


_flow: ContextVar[Flow] = ContextVar("flow", default=Flow())  # noqa: B039 - it is frozen


def set_flow(flow: Flow) -> None:
    """Let the work of the current task, and of all that it starts, count for this flow."""
    _flow.set(flow)


def current_flow() -> Flow:
    """The flow for which the current task works."""
    return _flow.get()


class FairLine(Generic[T]):
    """A line of at most `capacity` items, from which they are taken in turn between flows."""

    def __init__(self, capacity: int, what: str) -> None:
        """`what` completes "too many calls wait for …"."""
        self._capacity = capacity
        self._what = what
        self._flows: dict[T, Flow] = {}
        self._waiting: Counter[str] = Counter()
        # Callers, their lines and the items of each in the order in which their turns come.
        self._callers: OrderedDict[str, OrderedDict[tuple[str, bool], OrderedDict[T, None]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flows)

    def add(self, item: T) -> T | None:
        """Put an item at the end of the current flow's line; return the item that lost its place to it, if any.

        Where the line is full that is the last one of whoever has the most in it.

        Raises:
            Exhausted: the line is full, and nobody has more in it than this flow.
        """
        flow = _flow.get()
        lost = self._longest_but(flow) if len(self._flows) >= self._capacity else None
        if lost is not None:
            self.remove(lost)
        self._flows[item] = flow
        self._waiting[flow.caller] += 1
        self._callers.setdefault(flow.caller, OrderedDict()).setdefault(flow.line, OrderedDict())[item] = None
        return lost

    def first(self, but: Collection[Flow] = ()) -> T | None:
        """The item whose turn it is, of any flow but these; None where there is none."""
        firsts = (next(iter(items)) for lines in self._callers.values() for items in lines.values())
        return next((item for item in firsts if self._flows[item] not in but), None)

    def take(self, item: T) -> None:
        """Take an item whose turn it is."""
        flow = self._flows[item]
        self._callers.move_to_end(flow.caller)
        self._callers[flow.caller].move_to_end(flow.line)
        self.remove(item)

    def remove(self, item: T) -> None:
        """Let an item leave the line, if it is in it."""
        flow = self._flows.pop(item, None)
        if flow is None:
            return
        self._waiting[flow.caller] -= 1
        lines = self._callers[flow.caller]
        del lines[flow.line][item]
        if not lines[flow.line]:
            del lines[flow.line]
        if not lines:
            del self._callers[flow.caller], self._waiting[flow.caller]

    def refusal(self) -> Exhausted:
        """An error for a call that does not get its turn."""
        message = f"too many calls wait for {self._what}: try again, more slowly"
        return Exhausted(Reason.OVERLOADED, message, retry_after=1.0)

    def _longest_but(self, flow: Flow) -> T:
        """The last item of the longest line, of the caller with the most in line; never one of a flow that would then
        have less than this one."""
        caller, most = max(self._waiting.items(), key=lambda one: one[1], default=("", 0))
        if most <= self._waiting[flow.caller] + 1:
            caller = flow.caller
        lines = self._callers.get(caller, OrderedDict())
        longest = max(lines.values(), key=len, default=OrderedDict[T, None]())
        own = len(lines.get(flow.line, ())) if caller == flow.caller else -1
        if len(longest) <= own + 1:
            raise self.refusal()
        return next(reversed(longest))


class _Waiter:
    def __init__(self, size: int) -> None:
        self.size = size
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FairBudget:
    """An amount of something, such as bytes or connections, of which calls hold a part while they need it. Those for
    whom there is not enough wait in a fair line."""

    def __init__(self, amount: int, *, capacity: int, what: str) -> None:
        """At most `capacity` calls wait; `what` completes "too many calls wait for …"."""
        self._amount = amount
        self._free = amount
        self._line: FairLine[_Waiter] = FairLine(capacity, what)

    @property
    def waiting(self) -> int:
        """Calls in the line."""
        return len(self._line)

    @contextlib.asynccontextmanager
    async def hold(self, size: int, *, patience: float | None = None) -> AsyncIterator[None]:
        """Hold so much while the context is open; what exceeds the whole amount has all of it for itself. `patience` is
        the longest wait in seconds, None for as long as the caller of this waits.

        Raises:
            Exhausted: too many wait, or the wait was too long.
        """
        size = min(size, self._amount)
        await self.take(size, patience=patience)
        try:
            yield
        finally:
            self.give_back(size)

    async def take(self, size: int, *, patience: float | None = None) -> None:
        """Hold so much until it is given back; as `hold`, which is to be preferred."""
        if not self._line and size <= self._free:
            self._free -= size
        else:
            await self._wait(size, patience)

    def give_back(self, size: int) -> None:
        """Hold so much no longer."""
        self._free += size
        self._grant()

    async def _wait(self, size: int, patience: float | None) -> None:
        waiter = _Waiter(size)
        lost = self._line.add(waiter)
        if lost is not None and not lost.granted.done():
            lost.granted.set_exception(self._line.refusal())
        self._grant()
        try:
            async with asyncio.timeout(patience):
                await waiter.granted
        except BaseException as error:
            self._line.remove(waiter)
            if waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
                self._free += size  # It was granted in the very moment in which the call gave up.
            self._grant()
            if isinstance(error, TimeoutError):
                raise self._line.refusal() from error
            raise

    def _grant(self) -> None:
        while (first := self._line.first()) is not None and first.size <= self._free:
            self._line.take(first)
            if not first.granted.done():
                self._free -= first.size
                first.granted.set_result(None)
