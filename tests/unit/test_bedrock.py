"""The Bedrock embedder through boto3, against a local endpoint that speaks Bedrock's wire format."""

import asyncio
from typing import Any

import numpy as np
import pytest

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
from tests.support.bedrock_endpoint import Answer, Endpoint, bedrock_embedder, embedding_of

TOO_LONG = "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9875"


async def embed(embedder: BedrockEmbedder, text: str = "text") -> Any:
    try:
        return (await embedder.embed(text)).embedding
    finally:
        embedder.close()


async def test_titan_v1_requests_contain_only_the_text(endpoint: Endpoint) -> None:
    vector = await embed(bedrock_embedder(endpoint), "Grüße")
    assert endpoint.requests == [{"inputText": "Grüße"}]
    assert endpoint.models == [TITAN_V1]
    expected = np.array(embedding_of("Grüße", 1536))
    assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)
    assert vector.dtype == np.float32


@pytest.mark.parametrize("dimension", [256, 512, 1024])
async def test_titan_v2_requests_contain_the_dimension(endpoint: Endpoint, dimension: int) -> None:
    one = bedrock_embedder(endpoint, model=TITAN_V2, dimension=dimension)
    assert one.dimension == dimension
    assert (await embed(one)).shape == (dimension,)
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
        await embed(bedrock_embedder(endpoint, read_timeout=1.0))
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
        await embed(bedrock_embedder(endpoint))
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
    ("status", "code", "text", "advice"),
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
    endpoint: Endpoint, status: int, code: str, text: str, advice: str
) -> None:
    endpoint.script = [Answer(status, code, text)]
    with pytest.raises(FailedPrecondition, match=advice) as caught:
        await embed(bedrock_embedder(endpoint))
    assert caught.value.reason == Reason.SERVER_MISCONFIGURED
    assert "shorten" not in caught.value.message
    assert "123456789012" not in caught.value.message


async def test_an_unreachable_endpoint_is_unavailable(endpoint: Endpoint) -> None:
    with pytest.raises(Unavailable):
        await embed(bedrock_embedder(endpoint, endpoint_url="http://127.0.0.1:1"))


async def test_calls_are_retried_up_to_the_configured_attempts(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(503, "ServiceUnavailableException")]
    assert (await embed(bedrock_embedder(endpoint, attempts=2))).shape == (1536,)
    assert len(endpoint.requests) == 2


async def test_the_callers_deadline_ends_the_wait(endpoint: Endpoint) -> None:
    endpoint.script = [Answer(delay=3)]

    async def call() -> None:
        set_deadline(0.2)
        await embed(bedrock_embedder(endpoint))

    with pytest.raises(DeadlineExceeded):
        await asyncio.create_task(call())


async def test_missing_credentials_are_a_configuration_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(FailedPrecondition):
        await embed(BedrockEmbedder(BedrockSettings(region="us-east-1", endpoint_url="http://127.0.0.1:1")))


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
