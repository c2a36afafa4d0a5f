"""Titan on Bedrock through boto3, against a local endpoint that speaks its wire format."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.deadline import set_deadline
from memory_service.domain.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from memory_service.embedding.bedrock import TITAN_V1, TITAN_V2, BedrockEmbedder, BedrockSettings
from memory_service.embedding.cache import CachedEmbedder
from memory_service.server import run_server
from memory_service.settings import Settings
from tests.support.api import TIMEOUT, search, store_request, stub_for
from tests.support.bedrock_endpoint import Answer, Endpoint, bedrock_endpoint, embedding_of

TOO_LONG = "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9875"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with bedrock_endpoint() as endpoint:
        yield endpoint


def embedder(endpoint: Endpoint, **changes: Any) -> BedrockEmbedder:
    settings = {"region": "us-east-1", "endpoint_url": endpoint.url, "attempts": 1, **changes}
    return BedrockEmbedder(BedrockSettings(**settings))


async def embedded(embedder: BedrockEmbedder, text: str = "text") -> Any:
    try:
        return (await embedder.embed(text)).embedding
    finally:
        embedder.close()


async def test_titan_v1_requests_contain_only_the_text(endpoint: Endpoint) -> None:
    vector = await embedded(embedder(endpoint), "Grüße")
    assert endpoint.requests == [{"inputText": "Grüße"}]
    assert endpoint.models == [TITAN_V1]
    expected = np.array(embedding_of("Grüße", 1536))
    assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)
    assert vector.dtype == np.float32


@pytest.mark.parametrize("dimension", [256, 512, 1024])
async def test_titan_v2_requests_contain_the_dimension(endpoint: Endpoint, dimension: int) -> None:
    one = embedder(endpoint, model=TITAN_V2, dimension=dimension)
    assert one.dimension == dimension
    assert (await embedded(one)).shape == (dimension,)
    assert endpoint.requests == [
        {"inputText": "text", "dimensions": dimension, "normalize": True, "embeddingTypes": ["float"]}
    ]
    assert endpoint.models == [TITAN_V2]


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (Answer(429, "ThrottlingException"), ResourceExhausted, Reason.EMBEDDER_THROTTLED),
        (Answer(400, "ServiceQuotaExceededException"), ResourceExhausted, Reason.EMBEDDER_THROTTLED),
        (Answer(429, "ModelNotReadyException"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(503, "ServiceUnavailableException"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(500, "InternalServerException"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(408, "ModelTimeoutException"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(502, body=b"<html>bad gateway</html>"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(delay=2), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(400, "ValidationException"), FailedPrecondition, Reason.SERVER_MISCONFIGURED),
        (Answer(400, "ValidationException", TOO_LONG), InvalidRequest, Reason.TEXT_NOT_EMBEDDABLE),
        (Answer(403, "AccessDeniedException"), FailedPrecondition, Reason.SERVER_MISCONFIGURED),
        (Answer(404, "ResourceNotFoundException"), FailedPrecondition, Reason.SERVER_MISCONFIGURED),
        (Answer(body=b"no json"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(body=b"{}"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(body=b'{"embedding": [1, 2, 3]}'), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(body=b'{"embedding": "text"}'), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
        (Answer(body=b'{"embedding": [' + b"0," * 1535 + b"0]}"), Unavailable, Reason.EMBEDDER_UNAVAILABLE),
    ],
)
async def test_each_aws_failure_has_a_reason_and_hides_aws_details(
    endpoint: Endpoint, answer: Answer, error: type[MemoryServiceError], reason: Reason
) -> None:
    endpoint.script = [answer]
    with pytest.raises(error) as caught:
        await embedded(embedder(endpoint, read_timeout=1.0))
    assert caught.value.reason == reason
    assert "internals" not in caught.value.message
    assert (caught.value.retry_after is not None) == isinstance(caught.value, ResourceExhausted | Unavailable)


@pytest.mark.parametrize(
    "text",
    [
        TOO_LONG,
        "Malformed input request: expected maxLength: 50000, actual: 160000, please reformat your input and try again.",
        "Malformed input request: #/inputText: expected maxLength: 50000, actual: 50001, please reformat your input.",
    ],
)
async def test_a_text_that_is_too_long_is_an_invalid_request(endpoint: Endpoint, text: str) -> None:
    endpoint.script = [Answer(400, "ValidationException", text)]
    with pytest.raises(InvalidRequest, match="shorten it") as caught:
        await embedded(embedder(endpoint))
    assert caught.value.reason == Reason.TEXT_NOT_EMBEDDABLE


NO_ACCESS = "You don't have access to the model with the specified model ID."
NO_RIGHT = (
    "User: arn:aws:sts::123456789012:assumed-role/memory/x is not authorized to perform: bedrock:InvokeModel on "
    "resource: arn:aws:bedrock:us-east-1::foundation-model/x because no identity-based policy allows the "
    "bedrock:InvokeModel action"
)
ON_DEMAND = (
    "Invocation of model ID amazon.titan-embed-text-v1 with on-demand throughput isn't supported. Retry your request "
    "with the ID or ARN of an inference profile that contains this model."
)


@pytest.mark.parametrize(
    ("status", "code", "text", "told"),
    [
        (400, "ValidationException", "The provided model identifier is invalid.", "MEMORY_BEDROCK_MODEL"),
        (400, "ValidationException", ON_DEMAND, "on demand"),
        (400, "ValidationException", "Operation not allowed", "account may not use"),
        (
            400,
            "ValidationException",
            "Malformed input request: 2 schema violations found",
            "does not understand these requests",
        ),
        (
            400,
            "ValidationException",
            "extraneous key [normalize] is not permitted, malformed",
            "does not understand these requests",
        ),
        (400, "ValidationException", "The model is not supported for embeddings", "does not understand these requests"),
        (400, "ValidationException", "something new", "the log has what AWS says"),
        (403, "AccessDeniedException", NO_ACCESS, "no access to"),
        (403, "AccessDeniedException", NO_RIGHT, "allow bedrock:InvokeModel"),
        (403, "ExpiredTokenException", "The security token included in the request is expired", "have expired"),
        (403, "UnrecognizedClientException", "The security token … is invalid.", "does not know these credentials"),
        (403, "InvalidSignatureException", "Signature expired", "clock"),
        (404, "ResourceNotFoundException", "This model version has reached the end of its life.", "retired"),
        (404, "ResourceNotFoundException", "Could not resolve the foundation model", "MEMORY_BEDROCK_REGION"),
    ],
)
async def test_a_configuration_failure_tells_the_operator_what_to_do(
    endpoint: Endpoint, status: int, code: str, text: str, told: str
) -> None:
    endpoint.script = [Answer(status, code, text)]
    with pytest.raises(FailedPrecondition, match=told) as caught:
        await embedded(embedder(endpoint))
    assert caught.value.reason == Reason.SERVER_MISCONFIGURED
    assert "shorten" not in caught.value.message
    assert "123456789012" not in caught.value.message


async def test_an_unreachable_endpoint_is_unavailable(endpoint: Endpoint) -> None:
    with pytest.raises(Unavailable):
        await embedded(embedder(endpoint, endpoint_url="http://127.0.0.1:1"))


async def test_calls_are_retried_up_to_the_configured_attempts(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(503, "ServiceUnavailableException")]
    assert (await embedded(embedder(endpoint, attempts=2))).shape == (1536,)
    assert len(endpoint.requests) == 2


async def test_the_callers_deadline_ends_the_wait(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=3)]

    async def call() -> None:
        set_deadline(0.2)
        await embedded(embedder(endpoint))

    with pytest.raises(DeadlineExceeded):
        await asyncio.create_task(call())


async def test_concurrent_and_waiting_calls_are_limited(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=0.3)] * 4
    one = embedder(endpoint, concurrency=2)
    cached = CachedEmbedder(one, max_bytes=2**20, at_once=one.concurrency, queue=2)
    answers = await asyncio.gather(*(cached.embed(f"text {n}") for n in range(6)), return_exceptions=True)
    one.close()
    assert endpoint.most_at_once == 2
    assert [isinstance(answer, ResourceExhausted) for answer in answers] == [False] * 4 + [True] * 2


async def test_missing_credentials_are_a_configuration_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(FailedPrecondition):
        await embedded(BedrockEmbedder(BedrockSettings(region="us-east-1", endpoint_url="http://127.0.0.1:1")))


@pytest.mark.parametrize(
    "settings",
    [
        BedrockSettings(model="amazon.titan-image", region="us-east-1"),
        BedrockSettings(model=TITAN_V1, dimension=1024, region="us-east-1"),
        BedrockSettings(model=TITAN_V2, dimension=1536, region="us-east-1"),
    ],
)
def test_an_unsupported_model_or_dimension_is_refused_at_startup(settings: BedrockSettings) -> None:
    with pytest.raises(FailedPrecondition, match="for example MEMORY_BEDROCK_"):
        BedrockEmbedder(settings)


async def test_concurrent_callers_embed_one_text_once(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=0.2)]
    inner = embedder(endpoint)
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
    inner = embedder(endpoint)
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
    inner = embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=2**20)
    with pytest.raises(Unavailable):
        await cached.embed("text")
    assert (await cached.embed("text")).embedding.shape == (1536,)
    inner.close()


async def test_the_cache_is_limited_by_bytes(endpoint: Endpoint) -> None:
    inner = embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=20_000)  # three embeddings of 6 kB
    for text in ("a", "b", "c", "d", "a"):
        await cached.embed(text)
    assert [one["inputText"] for one in endpoint.requests] == ["a", "b", "c", "d", "a"]
    await cached.embed("d")
    assert len(endpoint.requests) == 5
    inner.close()


async def test_the_service_embeds_with_titan_and_reports_throttling(
    endpoint: Endpoint, valkey_url: str, user: str, new_index: Any
) -> None:
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
        made = await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        assert (made.index.dimension, made.index.embedding_model) == (1536, TITAN_V1)
        await stub.Store(store_request(user, "what was said"), timeout=TIMEOUT)
        where = memory_pb2.MemoryFilter(user_id=user)
        hits, _ = await search(stub, pb.SearchRequest(query_text="what was said", filter=where))
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        endpoint.script = [Answer(429, "ThrottlingException")] * 2
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Store(store_request(user, "another"), timeout=TIMEOUT)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(caught.value)
        retry = error_details_pb2.RetryInfo()
        assert status is not None
        assert status.details[1].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() > 0


async def test_a_failure_without_a_waiting_caller_is_not_reported(endpoint: Endpoint) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about))
    endpoint.script = [Answer(403, "AccessDeniedException", delay=0.2)]
    inner = embedder(endpoint)
    cached = CachedEmbedder(inner, max_bytes=2**20)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cached.embed("text")
    await asyncio.sleep(0.5)
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(None)
    assert told == []
    inner.close()


async def test_a_passed_client_deadline_is_not_logged_as_a_bug(
    endpoint: Endpoint, valkey_url: str, user: str, new_index: Any
) -> None:
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
        endpoint.script = [Answer(delay=0.5)] * 16
        where = memory_pb2.MemoryFilter(user_id=user)
        with structlog.testing.capture_logs() as logged:
            for number in range(16):
                request = pb.SearchRequest(query_text=f"text {number}", filter=where)
                with pytest.raises(grpc.aio.AioRpcError):
                    _ = [response async for response in stub.Search(request, timeout=0.05)]
            await asyncio.sleep(0.1)
        assert [one for one in logged if one["event"] == "bug"] == []
