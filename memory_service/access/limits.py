"""Limits per caller: concurrent calls and calls per second. They keep one caller from using up the service."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachetools import LRUCache

from memory_service.domain.errors import Reason, ResourceExhausted

_MAX_BUCKETS = 10_000
"""Callers whose rate is tracked. A caller that drops out starts again with a full bucket."""


@dataclass(slots=True)
class _TokenBucket:
    """Calls that a caller may make now. The bucket fills at the rate, up to the calls of one second, at least one."""

    tokens: float
    updated_at: float


class CallLimits:
    """Admits calls up to the limits of their caller and of the service."""

    def __init__(self, *, in_flight: int, rate: float | None, total_in_flight: int) -> None:
        """`in_flight` limits the concurrent calls of one caller, `total_in_flight` those of all callers.

        `rate` is in calls per second and caller; None means no limit.
        """
        self._max_in_flight = in_flight
        self._max_total_in_flight = total_in_flight
        self._total_in_flight = 0
        self._rate = rate
        self._in_flight: Counter[str] = Counter()
        self._buckets: LRUCache[str, _TokenBucket] = LRUCache(_MAX_BUCKETS)

    @contextmanager
    def admit(self, caller: str) -> Iterator[None]:
        """Count a call of this caller as in progress while the context is open.

        Raises:
            ResourceExhausted: a limit is reached; `retry_after` says when to retry.
        """
        if self._total_in_flight >= self._max_total_in_flight:
            raise _overloaded("the service", f"{self._max_total_in_flight} calls in flight", 0.5)
        if self._in_flight[caller] >= self._max_in_flight:
            raise _overloaded("this caller", f"{self._max_in_flight} calls in flight", 0.1)
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
        now, capacity = time.monotonic(), max(self._rate, 1.0)
        bucket = self._buckets.setdefault(caller, _TokenBucket(capacity, now))
        bucket.tokens = min(capacity, bucket.tokens + (now - bucket.updated_at) * self._rate)
        bucket.updated_at = now
        if bucket.tokens < 1:
            raise _overloaded("this caller", f"{self._rate:g} calls per second", (1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1


def _overloaded(subject: str, limit: str, retry_after: float) -> ResourceExhausted:
    message = f"{subject} is at its limit of {limit}: retry at a lower rate"
    return ResourceExhausted(Reason.OVERLOADED, message, retry_after=retry_after)
