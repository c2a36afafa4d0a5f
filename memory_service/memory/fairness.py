"""Turns between callers, so that none takes the service from the others.

Work that waits is served caller by caller, and within a caller user by user. So a caller with a thousand texts in line
delays another one's text by one turn, not by a thousand; the same holds between the users of one backend, and where
callers are not known.
"""

from collections import Counter, OrderedDict
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


class FairLine(Generic[T]):
    """A line of at most `capacity` items, from which they are taken in turn between flows."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
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

    def take(self) -> T | None:
        """Take the item whose turn it is; None from an empty line."""
        if not self._callers:
            return None
        caller, lines = next(iter(self._callers.items()))
        line, items = next(iter(lines.items()))
        item = next(iter(items))
        self._callers.move_to_end(caller)
        lines.move_to_end(line)
        self.remove(item)
        return item

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
            raise overloaded()
        return next(reversed(longest))


def overloaded() -> Exhausted:
    """An error about a line that is full."""
    return Exhausted(
        Reason.OVERLOADED, "too much work waits, most of it of this caller: try again, more slowly", retry_after=1.0
    )
