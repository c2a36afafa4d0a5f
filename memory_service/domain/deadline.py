"""The deadline of the current call, visible to all work that the call starts."""

import asyncio
from contextvars import Context, ContextVar
from dataclasses import dataclass

_REPLY_TIME = 0.2
"""Seconds reserved for the reply to reach the caller, at most a tenth of the deadline: an error with advice is useless
to a caller that has just given up."""


@dataclass(slots=True)
class _Call:
    """When a call must end, and when it sent its first engine command; both in event loop time."""

    deadline: float
    engine_since: float | None = None


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


def set_deadline(seconds: float) -> None:
    """Set the deadline of the current task's work for a caller that waits `seconds` from now."""
    _call.set(_Call(asyncio.get_running_loop().time() + seconds - min(_REPLY_TIME, seconds / 10)))


def without_deadline() -> Context:
    """Return a context for work that several calls share: the deadline of one must not end it for the others."""
    return Context()


def remaining(limit: float) -> float:
    """Return the seconds until the deadline, between 0 and `limit`. Outside a call, return `limit`."""
    call = _call.get()
    if call is None:
        return limit
    return max(0.0, min(limit, call.deadline - asyncio.get_running_loop().time()))


def waited_for_engine() -> float:
    """Return the seconds since the current call sent its first engine command; 0 for the first and outside a call."""
    call = _call.get()
    if call is None:
        return 0.0
    now = asyncio.get_running_loop().time()
    if call.engine_since is None:
        call.engine_since = now
    return now - call.engine_since
