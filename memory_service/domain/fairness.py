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

from memory_service.domain.errors import Exhausted, Reason

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

        A full line drops the last item of the caller with the most items.

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


class Grant:
    """A part of a budget that a call holds until it releases it."""

    def __init__(self, budget: "FairBudget", flow: Flow, size: int) -> None:
        self._budget = budget
        self.flow = flow
        self.size = size
        self.given: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def shrink(self, size: int) -> None:
        """Hold no more than so much from now on."""
        self._budget.change(self, min(size, self.size))

    def release(self) -> None:
        """Hold nothing any longer."""
        self._budget.change(self, 0)


class FairBudget:
    """An amount of something, such as bytes or connections, of which calls hold a part while they need it. Those for
    whom there is not enough wait in a fair line."""

    def __init__(self, amount: int, *, capacity: int, what: str, of_one_flow: int | None = None) -> None:
        """At most `capacity` calls wait, and one flow holds at most `of_one_flow`, None for all of it; `what` completes
        "too many calls wait for …"."""
        self._amount = amount
        self._of_one_flow = of_one_flow or amount
        self._free = amount
        self._held: Counter[Flow] = Counter()
        self._line: FairLine[Grant] = FairLine(capacity, what)

    @property
    def waiting(self) -> int:
        """Calls in the line."""
        return len(self._line)

    @contextlib.asynccontextmanager
    async def hold(self, size: int, *, patience: float | None = None) -> AsyncIterator[Grant]:
        """Hold so much while the context is open; see `take`."""
        grant = await self.take(size, patience=patience)
        try:
            yield grant
        finally:
            grant.release()

    async def take(self, size: int, *, patience: float | None = None) -> Grant:
        """Hold so much until the grant is released; what exceeds all that a flow may have gets all of that. `patience`
        is the longest wait in seconds, None for as long as the caller of this waits.

        Raises:
            Exhausted: too many wait, or the wait was too long.
        """
        grant = Grant(self, current_flow(), min(size, self._of_one_flow))
        if not self._line and self._fits(grant):
            self._give(grant)
            return grant
        lost = self._line.add(grant)
        if lost is not None and not lost.given.done():
            lost.given.set_exception(self._line.refusal())
        self._give_to_first()
        try:
            async with asyncio.timeout(patience):
                await grant.given
        except BaseException as error:
            self._line.remove(grant)
            if grant.given.done() and not grant.given.cancelled() and grant.given.exception() is None:
                grant.release()  # It was given in the very moment in which the call gave up.
            self._give_to_first()
            if isinstance(error, TimeoutError):
                raise self._line.refusal() from error
            raise
        return grant

    def change(self, grant: Grant, size: int) -> None:
        """Let a grant hold so much less; use Grant's methods."""
        self._free += grant.size - size
        self._held[grant.flow] -= grant.size - size
        grant.size = size
        if not self._held[grant.flow]:
            del self._held[grant.flow]
        self._give_to_first()

    def _fits(self, grant: Grant) -> bool:
        return grant.size <= self._free and self._held[grant.flow] + grant.size <= self._of_one_flow

    def _give(self, grant: Grant) -> None:
        self._free -= grant.size
        self._held[grant.flow] += grant.size
        grant.given.set_result(None)

    def _give_to_first(self) -> None:
        full: set[Flow] = set()
        while (first := self._line.first(but=full)) is not None:
            if first.given.done():  # It gave up, or lost its place.
                self._line.remove(first)
            elif self._fits(first):
                self._line.take(first)
                self._give(first)
            elif first.size <= self._free:
                full.add(first.flow)
            else:
                return
