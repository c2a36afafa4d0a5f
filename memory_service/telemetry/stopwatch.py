"""Measures the time during which at least one of several concurrent operations runs."""

import time


class Stopwatch:
    """Counts overlapping operations once."""

    __slots__ = ("_running", "_started_at", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        """Time of the finished periods."""
        self._started_at = 0.0
        self._running = 0

    def start(self) -> None:
        """Record that an operation starts."""
        if not self._running:
            self._started_at = time.perf_counter()
        self._running += 1

    def stop(self) -> None:
        """Record that an operation has finished."""
        self._running -= 1
        if not self._running:
            self.seconds += time.perf_counter() - self._started_at
