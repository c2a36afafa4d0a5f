"""A startup that takes long and can be cancelled."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def start_unless_stopped(stop: Awaitable[Any], start: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `start`; if `stop` completes first, cancel it and return None."""
    starting, stopping = asyncio.ensure_future(start), asyncio.ensure_future(stop)
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
    return None if starting.cancelled() else starting.result()
