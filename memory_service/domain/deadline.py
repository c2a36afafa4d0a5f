"""The deadline of the call in hand, visible to all the work that it starts."""

import asyncio
from contextvars import Context, ContextVar
from dataclasses import dataclass

_TRAVEL = 0.2
"""Seconds, at most a tenth of all, that an answer needs to reach the caller: an error that comes with advice is worth
nothing to one who has just given up."""


@dataclass(slots=True)
class _Call:
    """When a call must end, and when it sent its first command to the engine; times of the event loop."""

    deadline: float
    engine_since: float | None = None


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


def set_deadline(seconds: float) -> None:
    """Let the current task's work end early enough for a caller who waits `seconds` from now."""
    _call.set(_Call(asyncio.get_running_loop().time() + seconds - min(_TRAVEL, seconds / 10)))


def without_deadline() -> Context:
    """A context for work that several calls wait for: the first one's deadline must not end it for the others."""
    return Context()


def remaining(limit: float) -> float:
    """Seconds left until the deadline, at most `limit` (which alone holds outside of a call), at least 0."""
    call = _call.get()
    if call is None:
        return limit
    return max(0.0, min(limit, call.deadline - asyncio.get_running_loop().time()))


def waited_for_engine() -> float:
    """Seconds since the call in hand sent its first command to the engine; 0 for the first, and outside of a call."""
    call = _call.get()
    if call is None:
        return 0.0
    now = asyncio.get_running_loop().time()
    if call.engine_since is None:
        call.engine_since = now
    return now - call.engine_since
