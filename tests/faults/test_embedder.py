"""An embedding model that is down, slow or wrong: each fault has its status, the circuit breaker opens and closes, text
search replaces vector search where the caller allows it, and calls without embedding keep full speed."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.server import run_server
from memory_service.settings import Settings
from tests.faults.load import retry_delay
from tests.support.api import TIMEOUT, Stub, packed_embedding, search, store_request, stub_for
from tests.support.bedrock_endpoint import Answer, Endpoint

PAUSE = 5.0
"""Seconds for which the server's breaker stays open."""


DOWN = Answer(503, "ServiceUnavailableException")


THROTTLED = Answer(429, "ThrottlingException")


@pytest.fixture
async def stub(endpoint: Endpoint, valkey_url: str, new_index: Callable[[], str]) -> AsyncIterator[Stub]:
    """A stub of a server that embeds with the endpoint's model and has an index."""
    settings = Settings(
        listen="127.0.0.1:0",
        valkey_url=SecretStr(valkey_url),
        index=new_index(),
        embedder="bedrock",
        bedrock_region="us-east-1",
        bedrock_endpoint_url=endpoint.url,
        drain=0,
    )
    async with run_server(settings) as server, grpc.aio.insecure_channel(server.address) as channel:
        stub = stub_for(channel)
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        yield stub


def search_request(user: str, **options: object) -> pb.SearchRequest:
    return pb.SearchRequest(filter=memory_pb2.MemoryFilter(user_id=user), **options)  # type: ignore[arg-type]


async def error_of(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (DOWN, grpc.StatusCode.UNAVAILABLE),
        (THROTTLED, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Answer(body=b'{"embedding": [1, 2, 3]}'), grpc.StatusCode.UNAVAILABLE),
        (Answer(body=b"<html>"), grpc.StatusCode.UNAVAILABLE),
        (Answer(delay=4.0), grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
    ids=["down", "throttled", "wrong dimension", "malformed", "slow"],
)
async def test_each_model_fault_has_its_status_and_stores_nothing(
    stub: Stub, endpoint: Endpoint, user: str, answer: Answer, code: grpc.StatusCode
) -> None:
    endpoint.script = [answer] * 4
    for call in (
        stub.Store(store_request(user, "stored"), timeout=2.0),
        search(stub, search_request(user, query_text="searched"), timeout=2.0),
    ):
        error = await error_of(call)
        assert error.code() == code
        assert retry_delay(error) or code == grpc.StatusCode.DEADLINE_EXCEEDED
    found, _ = await search(stub, search_request(user, query_embedding=packed_embedding(1.0, dimension=1536)))
    assert found == []


async def test_the_breaker_opens_fails_fast_and_closes_by_itself(stub: Stub, endpoint: Endpoint, user: str) -> None:
    endpoint.script = [DOWN] * 1000
    for number in range(5):
        await error_of(stub.Store(store_request(user, f"text {number}"), timeout=TIMEOUT))
    request_count = len(endpoint.requests)
    started = time.monotonic()
    for number in range(20):
        error = await error_of(stub.Store(store_request(user, f"another text {number}"), timeout=TIMEOUT))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert 0 < (retry_delay(error) or 0) <= PAUSE
    assert time.monotonic() - started < PAUSE, "the calls did not fail fast"
    assert len(endpoint.requests) == request_count
    endpoint.script.clear()
    await asyncio.sleep(PAUSE)
    await stub.Store(store_request(user, "after it"), timeout=TIMEOUT)
    await stub.Store(store_request(user, "and on"), timeout=TIMEOUT)


async def test_a_throttled_model_opens_no_breaker(stub: Stub, endpoint: Endpoint, user: str) -> None:
    endpoint.script = [THROTTLED] * 1000
    for number in range(10):
        error = await error_of(stub.Store(store_request(user, f"text {number}"), timeout=TIMEOUT))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    endpoint.script.clear()
    await stub.Store(store_request(user, "after it"), timeout=TIMEOUT)


async def test_calls_without_embedding_keep_full_speed_while_the_model_hangs(
    stub: Stub, endpoint: Endpoint, user: str
) -> None:
    async def median() -> float:
        """Seconds of a call; each of 60 is a Store or a Search with the caller's own embedding."""
        took = []
        for number in range(30):
            own = packed_embedding(1.0, number, dimension=1536)
            for call in (
                stub.Store(
                    pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content="c", embedding=own),
                    timeout=TIMEOUT,
                ),
                search(stub, search_request(user, query_embedding=own)),
            ):
                started = time.monotonic()
                await call
                took.append(time.monotonic() - started)
        return statistics.median(took)

    undisturbed = await median()
    endpoint.script = [Answer(delay=8.0)] * 100
    waiting = [
        asyncio.create_task(error_of(stub.Store(store_request(user, f"text {n}"), timeout=6.0))) for n in range(100)
    ]
    await asyncio.sleep(0.5)
    meanwhile = await median()
    print(f"median {undisturbed * 1e3:.1f} ms undisturbed, {meanwhile * 1e3:.1f} ms while the model is blocked")
    assert meanwhile < 5 * undisturbed
    assert {error.code() for error in await asyncio.gather(*waiting)} == {grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.mark.parametrize("fault", [DOWN, THROTTLED], ids=["down", "throttled"])
@pytest.mark.parametrize("mode", [pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_HYBRID])
async def test_a_search_with_allow_degraded_falls_back_to_text_and_reports_it(
    stub: Stub, endpoint: Endpoint, user: str, mode: pb.SearchMode, fault: Answer
) -> None:
    for content in ("the canary sings", "a dog barks"):
        await stub.Store(store_request(user, content), timeout=TIMEOUT)
    request = search_request(user, query_text="canary", mode=mode, min_score=0.1, allow_degraded=True)
    _, summary = await search(stub, request)
    assert not summary.degraded
    request.query_text = "canaries"
    endpoint.script = [fault] * 2
    hits, summary = await search(stub, request)
    assert [hit.memory.content for hit in hits] == ["the canary sings"]
    assert hits[0].text_score > 0
    assert summary.degraded
    assert not summary.HasField("nearest_score")
    endpoint.script = [fault] * 2
    request.allow_degraded = False
    request.query_text = "a canary"
    await error_of(search(stub, request))


@pytest.mark.parametrize(
    "request_",
    [
        search_request("a", query_embedding=packed_embedding(1.0, dimension=1536), allow_degraded=True),
        search_request("a", query_text="q", mode=pb.SEARCH_MODE_TEXT, allow_degraded=True),
    ],
)
async def test_allow_degraded_without_text_to_embed_is_refused(stub: Stub, request_: pb.SearchRequest) -> None:
    error = await error_of(search(stub, request_))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "allow_degraded" in str(error.details())
