"""A start that takes long and can be ended before it is done."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def started_unless(ending: Awaitable[Any], starting: Coroutine[Any, Any, T]) -> T | None:
    """The result of `starting`; None when `ending` is done first, which cancels it."""
    start, end = asyncio.ensure_future(starting), asyncio.ensure_future(ending)
    await asyncio.wait({start, end}, return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
        await asyncio.wait({start})
    return None if start.cancelled() else start.result()
