"""A circuit breaker around an embedder: while the model is away, callers learn it at once.

Without one every call of an outage would hold one of the embedder's threads until its time is over, and those whose
texts could be embedded again would wait behind them.
"""

import time

import structlog

from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.errors import DeadlineExceeded, MemoryServiceError, Reason, Unavailable
from memory_service.domain.ports import Embedder

_log = structlog.get_logger(__name__)


class CircuitBreaker:
    """Opens after `threshold` outages in a row; then fails for `pause` seconds, and lets one call try. What the caller
    did wrong, throttling and a caller who gives up are no outages."""

    def __init__(self, embedder: Embedder, *, threshold: int = 5, pause: float = 5.0) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._threshold = threshold
        self._pause = pause
        self._outages = 0
        self._next_try = 0.0

    async def embed(self, text: str) -> EmbeddedText:
        """The unit-length embedding of a text.

        Raises Unavailable at once while the breaker is open.
        """
        wait = self._next_try - time.monotonic()
        if self._outages >= self._threshold:
            if wait > 0:
                raise self._paused(wait)
            # The others wait for the outcome of this call.
            self._next_try = time.monotonic() + self._pause
        try:
            embedded = await self._embedder.embed(text)
        except Unavailable:
            self._outages += 1
            self._next_try = time.monotonic() + self._pause
            if self._outages == self._threshold:
                _log.warning("embedder_breaker_opened", model=self.model, outages=self._outages)
            raise
        except DeadlineExceeded:
            raise  # That tells of the caller's time and not of the model.
        except MemoryServiceError:
            self._close()  # It answers.
            raise
        self._close()
        return embedded

    def _close(self) -> None:
        if self._outages >= self._threshold:
            _log.info("embedder_breaker_closed", model=self.model)
        self._outages = 0

    def _paused(self, seconds: float) -> Unavailable:
        return Unavailable(
            Reason.EMBEDDER_UNAVAILABLE,
            f"{self.model} has failed {self._outages} times in a row and is given a pause: try again, send an "
            "embedding of your own, or allow_degraded",
            metadata={"model": self.model},
            retry_after=seconds,
        )
