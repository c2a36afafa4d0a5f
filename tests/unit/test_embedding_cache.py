"""The embedding cache in front of Bedrock: one call per text, limits, deadlines and failures."""

import asyncio
import gc
from typing import Any

import numpy as np
import pytest

from memory_service.domain.deadline import set_deadline
from memory_service.domain.errors import (
    DeadlineExceeded,
    ResourceExhausted,
    Unavailable,
)
from memory_service.embedding.cache import CachedEmbedder
from tests.support.bedrock_endpoint import Answer, Endpoint, bedrock_embedder


async def test_concurrent_and_waiting_calls_are_limited(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=0.3)] * 4
    one = bedrock_embedder(endpoint, concurrency=2)
    cached = CachedEmbedder(one, max_bytes=2**20, concurrency=one.concurrency, queue_capacity=2)
    answers = await asyncio.gather(*(cached.embed(f"text {n}") for n in range(6)), return_exceptions=True)
    one.close()
    assert endpoint.max_concurrent == 2
    assert [isinstance(answer, ResourceExhausted) for answer in answers] == [False] * 4 + [True] * 2


async def test_concurrent_callers_embed_one_text_once(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=0.2)]
    inner = bedrock_embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=2**20)
    first = asyncio.create_task(cached.embed("text"))
    others = [asyncio.create_task(cached.embed("text")) for _ in range(9)]
    await asyncio.sleep(0.05)
    first.cancel()
    vectors = await asyncio.gather(*others)
    await cached.embed("text")
    assert len(endpoint.requests) == 1
    assert all(np.array_equal(vector.embedding, vectors[0].embedding) for vector in vectors)
    inner.close()


async def test_the_first_callers_deadline_does_not_affect_other_callers(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=2.5)]
    inner = bedrock_embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=2**20)

    async def call(seconds: float) -> Any:
        set_deadline(seconds)
        async with asyncio.timeout(seconds):
            return (await cached.embed("text")).embedding

    hurried, patient = asyncio.create_task(call(1)), asyncio.create_task(call(20))
    with pytest.raises(DeadlineExceeded):
        await hurried
    assert (await patient).shape == (1536,)
    inner.close()


async def test_a_failure_is_not_cached(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(503, "ServiceUnavailableException")]
    inner = bedrock_embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=2**20)
    with pytest.raises(Unavailable):
        await cached.embed("text")
    assert (await cached.embed("text")).embedding.shape == (1536,)
    inner.close()


async def test_the_cache_is_limited_by_bytes(endpoint: Endpoint) -> None:
    inner = bedrock_embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=20_000)  # three embeddings of 6 kB
    for text in ("a", "b", "c", "d", "a"):
        await cached.embed(text)
    assert [one["inputText"] for one in endpoint.requests] == ["a", "b", "c", "d", "a"]
    await cached.embed("d")
    assert len(endpoint.requests) == 5
    inner.close()


async def test_a_failure_without_a_waiting_caller_is_not_reported(endpoint: Endpoint) -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: reports.append(about))
    endpoint.script = [Answer(403, "AccessDeniedException", delay=0.2)]
    inner = bedrock_embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=2**20)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cached.embed("text")
    await asyncio.sleep(0.5)
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(None)
    assert reports == []
    inner.close()
