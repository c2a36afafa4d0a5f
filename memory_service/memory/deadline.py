"""The deadline of the call in hand, visible to all the work that it starts."""

import asyncio
from contextvars import Context, ContextVar

_TRAVEL = 0.2
"""Seconds, at most a tenth of all, that an answer needs to reach the caller: an error that comes with advice is worth
nothing to one who has just given up."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_deadline(seconds: float) -> None:
    """Let the current task's work end early enough for a caller who waits `seconds` from now."""
    _deadline.set(asyncio.get_running_loop().time() + seconds - min(_TRAVEL, seconds / 10))


def without_deadline() -> Context:
    """A context for work that several calls wait for: the first one's deadline must not end it for the others."""
    return Context()


def remaining(limit: float) -> float:
    """Seconds left until the deadline, at most `limit` (which alone holds outside of a call), at least 0."""
    deadline = _deadline.get()
    if deadline is None:
        return limit
    return max(0.0, min(limit, deadline - asyncio.get_running_loop().time()))
