"""The circuit breaker in front of an embedder."""

import asyncio

import numpy as np
import pytest

from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.errors import (
    DeadlineExceeded,
    InvalidRequest,
    MemoryServiceError,
    Reason,
    ResourceExhausted,
    Unavailable,
    deadline_exceeded,
    invalid,
)
from memory_service.embedding.breaker import CircuitBreaker


class FailingEmbedder:
    """An embedder that raises the given errors in order, then succeeds."""

    model = "model"
    dimension = 3

    def __init__(self, *errors: MemoryServiceError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def embed(self, _: str) -> EmbeddedText:
        self.calls += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return EmbeddedText(np.ones(3, np.float32))


def outage() -> Unavailable:
    return Unavailable(Reason.EMBEDDER_UNAVAILABLE, "away", retry_after=1.0)


@pytest.mark.parametrize(
    "response", [ResourceExhausted(Reason.EMBEDDER_THROTTLED, "slowly"), invalid("f", "d", "r"), None]
)
async def test_only_consecutive_outages_open_the_breaker(response: MemoryServiceError | None) -> None:
    embedder = FailingEmbedder()
    breaker = CircuitBreaker(embedder, threshold=3, pause=60)
    for _ in range(3):
        embedder.errors = [outage(), outage(), *([response] if response else [])]
        for _ in range(2):
            with pytest.raises(Unavailable):
                await breaker.embed("t")
        if response is None:
            await breaker.embed("t")
        else:
            with pytest.raises((ResourceExhausted, InvalidRequest)):
                await breaker.embed("t")
    assert embedder.calls == 9


async def test_a_passed_deadline_neither_opens_nor_closes_the_breaker() -> None:
    breaker = CircuitBreaker(FailingEmbedder(outage(), deadline_exceeded(), outage()), threshold=2, pause=60)
    for expected in (Unavailable, DeadlineExceeded, Unavailable):
        with pytest.raises(expected):
            await breaker.embed("t")
    with pytest.raises(Unavailable, match="pause"):
        await breaker.embed("t")


async def test_one_call_probes_the_model_after_the_pause() -> None:
    embedder = FailingEmbedder(outage(), outage())
    breaker = CircuitBreaker(embedder, threshold=1, pause=0.05)
    with pytest.raises(Unavailable):
        await breaker.embed("t")
    for failures in (10, 9, 0):
        await asyncio.sleep(0.06)
        outcomes = await asyncio.gather(*(breaker.embed("t") for _ in range(10)), return_exceptions=True)
        assert sum(isinstance(one, Unavailable) for one in outcomes) == failures
    assert embedder.calls == 1 + 1 + 1 + 10
