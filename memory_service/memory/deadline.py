"""The deadline of the call in hand, visible to all the work that it starts."""

import asyncio
from contextvars import Context, ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_deadline(seconds: float) -> None:
    """Let the current task's work end at the latest `seconds` from now."""
    _deadline.set(asyncio.get_running_loop().time() + seconds)


def without_deadline() -> Context:
    """A context for work that several calls wait for: the first one's deadline must not end it for the others."""
    return Context()


def remaining(limit: float) -> float:
    """Seconds left until the deadline, at most `limit` (which alone holds outside of a call), at least 0."""
    deadline = _deadline.get()
    if deadline is None:
        return limit
    return max(0.0, min(limit, deadline - asyncio.get_running_loop().time()))
