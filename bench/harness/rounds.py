"""Rounds: each candidate in turn, calls from several callers, and ratios within a round."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

Call = Callable[[int], Awaitable[object]]
"""Makes the call with this number."""


def rotate(items: Sequence[T], number: int) -> list[T]:
    """Return the items in the order of this round: each round starts with the next one."""
    start = number % len(items)
    return [*items[start:], *items[:start]]


async def calls_per_second(call: Call, count: int, callers: int) -> float:
    """Make `count` calls from this many callers and return their rate."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await call(number)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [one / other for one, other in zip(numerators, denominators, strict=True)]


def spread(values: Sequence[float]) -> str:
    """Format the median, the least and the most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
