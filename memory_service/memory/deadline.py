"""The deadline of the call in hand, visible to all the work that it starts."""

import asyncio
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_deadline(seconds: float) -> None:
    """Let the current task's work end at the latest `seconds` from now."""
    _deadline.set(asyncio.get_running_loop().time() + seconds)


def remaining(limit: float) -> float:
    """Seconds left until the deadline, at most `limit` (which alone holds outside of a call), at least 0."""
    deadline = _deadline.get()
    if deadline is None:
        return limit
    return max(0.0, min(limit, deadline - asyncio.get_running_loop().time()))
