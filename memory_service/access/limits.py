"""How much one caller may ask for at once and in a second, so that none takes the service from the others."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachetools import LRUCache

from memory_service.domain.errors import Reason, ResourceExhausted

_MAX_BUCKETS = 10_000
"""Callers whose rate is remembered; one that is forgotten begins anew with a full second."""


@dataclass(slots=True)
class _TokenBucket:
    """Calls that may still be made now; it fills at the rate, up to a second's worth."""

    tokens: float
    updated_at: float


class CallLimits:
    """The limits of every caller, and of `total_in_flight` calls of all of them. `rate` is in calls a second, None
    without a limit."""

    def __init__(self, *, in_flight: int, rate: float | None, total_in_flight: int) -> None:
        self._max_in_flight = in_flight
        self._max_total_in_flight = total_in_flight
        self._total_in_flight = 0
        self._rate = rate
        self._in_flight: Counter[str] = Counter()
        self._buckets: LRUCache[str, _TokenBucket] = LRUCache(_MAX_BUCKETS)

    @contextmanager
    def admit(self, caller: str) -> Iterator[None]:
        """A call of this caller, while the context is open.

        Raises:
            ResourceExhausted: there are too many, or it has as many as it may; `retry_after` says when it may again.
        """
        if self._total_in_flight >= self._max_total_in_flight:
            message = "the service has as many calls in flight as it takes: try again, more slowly"
            raise ResourceExhausted(Reason.OVERLOADED, message, retry_after=0.5)
        if self._in_flight[caller] >= self._max_in_flight:
            raise _overloaded(f"has {self._max_in_flight} calls in flight, as many as it may", 0.1)
        self._take_token(caller)
        self._in_flight[caller] += 1
        self._total_in_flight += 1
        try:
            yield
        finally:
            self._total_in_flight -= 1
            self._in_flight[caller] -= 1
            if not self._in_flight[caller]:
                del self._in_flight[caller]

    def _take_token(self, caller: str) -> None:
        if self._rate is None:
            return
        now, most = time.monotonic(), max(self._rate, 1.0)
        bucket = self._buckets.setdefault(caller, _TokenBucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.updated_at) * self._rate)
        bucket.updated_at = now
        if bucket.tokens < 1:
            raise _overloaded(f"makes more than {self._rate:g} calls a second", (1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1


def _overloaded(what: str, retry_after: float) -> ResourceExhausted:
    return ResourceExhausted(Reason.OVERLOADED, f"this caller {what}: try again, more slowly", retry_after=retry_after)
