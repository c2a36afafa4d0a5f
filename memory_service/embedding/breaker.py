"""A circuit breaker around an embedder: while the model is unavailable, calls fail at once.

Without it, every call during an outage would occupy one of the embedder's threads until a timeout. New calls would wait
behind them, even after the model is available again.
"""

import time

import structlog

from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.errors import DeadlineExceeded, MemoryServiceError, Reason, Unavailable
from memory_service.domain.ports import Embedder

_log = structlog.get_logger(__name__)


class CircuitBreaker:
    """Opens after `threshold` failures in a row. While open, calls fail for `pause` seconds; then one call tries.

    Only Unavailable counts as a failure: invalid texts, throttling and cancelled calls do not.
    """

    def __init__(self, embedder: Embedder, *, threshold: int = 5, pause: float = 5.0) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._threshold = threshold
        self._pause = pause
        self._failures = 0
        self._next_attempt_at = 0.0

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text.

        Raises:
            Unavailable: at once while the breaker is open; otherwise as the embedder raises it.
        """
        wait = self._next_attempt_at - time.monotonic()
        if self._failures >= self._threshold:
            if wait > 0:
                raise self._open_error(wait)
            # Other calls fail until this one is done.
            self._next_attempt_at = time.monotonic() + self._pause
        try:
            embedded = await self._embedder.embed(text)
        except Unavailable:
            self._failures += 1
            self._next_attempt_at = time.monotonic() + self._pause
            if self._failures == self._threshold:
                _log.warning("embedder_breaker_opened", model=self.model, outages=self._failures)
            raise
        except DeadlineExceeded:
            raise  # The caller's deadline was short, which says nothing about the model.
        except MemoryServiceError:
            self._close()  # The model responded.
            raise
        self._close()
        return embedded

    def _close(self) -> None:
        if self._failures >= self._threshold:
            _log.info("embedder_breaker_closed", model=self.model)
        self._failures = 0

    def _open_error(self, seconds: float) -> Unavailable:
        return Unavailable(
            Reason.EMBEDDER_UNAVAILABLE,
            f"{self.model} failed {self._failures} times in a row, so calls to it pause: retry, send an embedding of "
            "your own, or set allow_degraded in a Search",
            metadata={"model": self.model},
            retry_after=seconds,
        )
