"""How much one caller may ask for at once and in a second, so that none takes the service from the others."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachetools import LRUCache

from memory_service.domain.errors import Exhausted, Reason

_CALLERS = 10_000
"""Callers whose rate is remembered; one that is forgotten begins anew with a full second."""


@dataclass(slots=True)
class _Bucket:
    """Calls that may still be made now; it fills at the rate, up to a second's worth."""

    left: float
    at: float


class Limits:
    """The limits of every caller, and of `all_in_flight` calls of all of them. `rate` is in calls a second, None
    without a limit."""

    def __init__(self, *, in_flight: int, rate: float | None, all_in_flight: int) -> None:
        self._most = in_flight
        self._most_of_all = all_in_flight
        self._of_all = 0
        self._rate = rate
        self._in_flight: Counter[str] = Counter()
        self._buckets: LRUCache[str, _Bucket] = LRUCache(_CALLERS)

    @contextmanager
    def call(self, caller: str) -> Iterator[None]:
        """A call of this caller, while the context is open.

        Raises:
            Exhausted: there are too many, or it has as many as it may; `retry_after` says when it may again.
        """
        if self._of_all >= self._most_of_all:
            message = "the service has as many calls in flight as it takes: try again, more slowly"
            raise Exhausted(Reason.OVERLOADED, message, retry_after=0.5)
        if self._in_flight[caller] >= self._most:
            raise _too_much(f"has {self._most} calls in flight, as many as it may", 0.1)
        self._take(caller)
        self._in_flight[caller] += 1
        self._of_all += 1
        try:
            yield
        finally:
            self._of_all -= 1
            self._in_flight[caller] -= 1
            if not self._in_flight[caller]:
                del self._in_flight[caller]

    def _take(self, caller: str) -> None:
        if self._rate is None:
            return
        now, most = time.monotonic(), max(self._rate, 1.0)
        bucket = self._buckets.setdefault(caller, _Bucket(most, now))
        bucket.left = min(most, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.left < 1:
            raise _too_much(f"makes more than {self._rate:g} calls a second", (1 - bucket.left) / self._rate)
        bucket.left -= 1


def _too_much(what: str, retry_after: float) -> Exhausted:
    return Exhausted(Reason.OVERLOADED, f"this caller {what}: try again, more slowly", retry_after=retry_after)
