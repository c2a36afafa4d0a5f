"""Amazon Titan text embeddings on Amazon Bedrock, through boto3.

boto3 blocks, so calls run in a bounded pool of threads, with as many connections. An abandoned call holds its thread
until its read timeout: that bounds what an outage can tie up.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
import numpy as np
import orjson
from botocore import exceptions as boto
from botocore.config import Config

from memory_service.domain.deadline import remaining
from memory_service.domain.embeddings import EmbeddedText, unit_length
from memory_service.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    Reason,
    ResourceExhausted,
    Unavailable,
    Violation,
    deadline_exceeded,
)
from memory_service.domain.types import Embedding
from memory_service.embedding.bedrock_errors import is_text_too_long, operator_advice

TITAN_V1 = "amazon.titan-embed-text-v1"
TITAN_V2 = "amazon.titan-embed-text-v2:0"
_DIMENSIONS = {TITAN_V1: (1536,), TITAN_V2: (1024, 512, 256)}
"""Dimensions of each model, the default first."""

_THROTTLING_CODES = {"ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"}
_UNAVAILABLE_CODES = {
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ModelErrorException",
    "InternalServerException",
    "ServiceUnavailableException",
}


@dataclass(frozen=True, slots=True)
class BedrockSettings:
    """How to call Bedrock. Times in seconds. `dimension` None is the model's default, `region` None boto3's own.

    `attempts` counts the first one: boto3 repeats what throttles or fails within a call, and callers beyond that.
    """

    model: str = TITAN_V1
    dimension: int | None = None
    region: str | None = None
    endpoint_url: str | None = None
    concurrency: int = 16
    attempts: int = 2
    connect_timeout: float = 2.0
    read_timeout: float = 10.0


class BedrockEmbedder:
    """Embeds one text a call, which is all that Titan takes."""

    def __init__(self, settings: BedrockSettings, *, on_tokens: Callable[[int], None] = lambda _: None) -> None:
        """Make the client; credentials are found as boto3 finds them, and first used by the first call. `on_tokens` is
        called, from any thread, with the number of tokens read, which is what AWS charges for.

        Raises:
            FailedPrecondition: an unknown model, or a dimension that it does not have, or no region.
        """
        if settings.model not in _DIMENSIONS:
            why = f"{settings.model!r} is none of {', '.join(_DIMENSIONS)}"
            raise _misconfigured(f"MEMORY_BEDROCK_MODEL: {why}; for example MEMORY_BEDROCK_MODEL={TITAN_V2}")
        dimensions = _DIMENSIONS[settings.model]
        if settings.dimension not in (None, *dimensions):
            why = f"{settings.model} has {', '.join(map(str, dimensions))}, not {settings.dimension}"
            example = f"MEMORY_BEDROCK_DIMENSION={dimensions[0]}"
            raise _misconfigured(f"MEMORY_BEDROCK_DIMENSION: {why}; for example {example}")
        self.model = settings.model
        self.dimension = settings.dimension or dimensions[0]
        self.concurrency = self.per_flow = settings.concurrency
        self._settings = settings
        self._on_tokens = on_tokens
        self._executor = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="bedrock")
        try:
            self._client = boto3.session.Session().client(
                "bedrock-runtime",
                region_name=settings.region,
                endpoint_url=settings.endpoint_url,
                config=Config(
                    max_pool_connections=settings.concurrency,
                    connect_timeout=settings.connect_timeout,
                    read_timeout=settings.read_timeout,
                    retries={"mode": "standard", "total_max_attempts": settings.attempts},
                    tcp_keepalive=True,
                ),
            )
        except boto.BotoCoreError as error:
            why = f"boto3 cannot make a client of Bedrock ({error}); for example MEMORY_BEDROCK_REGION=us-east-1"
            raise _misconfigured(f"MEMORY_BEDROCK_REGION, or AWS_REGION: {why}") from error
        except ValueError as error:  # botocore's word for a URL that is none
            example = "MEMORY_BEDROCK_ENDPOINT_URL=https://bedrock-runtime.us-east-1.amazonaws.com"
            raise _misconfigured(f"MEMORY_BEDROCK_ENDPOINT_URL: is no URL of HTTP; for example {example}") from error

    async def embed(self, text: str) -> EmbeddedText:
        """The unit-length embedding of a text, all of which Titan reads: it refuses what is longer."""
        max_seconds = self._settings.attempts * (self._settings.connect_timeout + self._settings.read_timeout)
        limit = remaining(max_seconds)
        try:
            async with asyncio.timeout(limit):
                loop = asyncio.get_running_loop()
                return EmbeddedText(await loop.run_in_executor(self._executor, self._embed, text))
        except TimeoutError as error:
            raise (self._unavailable("does not answer") if limit == max_seconds else deadline_exceeded()) from error

    def close(self) -> None:
        """Stop the threads and close the connections."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _embed(self, text: str) -> Embedding:
        body: dict[str, Any] = {"inputText": text}
        if self.model == TITAN_V2:
            body |= {"dimensions": self.dimension, "normalize": True, "embeddingTypes": ["float"]}
        try:
            response = self._client.invoke_model(
                modelId=self.model, body=orjson.dumps(body), contentType="application/json", accept="application/json"
            )
            answer = response["body"].read()
        except boto.ClientError as error:
            raise self._translate(error) from error
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise self._unavailable("does not answer") from error
        except boto.BotoCoreError as error:
            raise _misconfigured("boto3 cannot call Bedrock: check the AWS credentials and region") from error
        return self._parse(answer)

    def _parse(self, answer: bytes) -> Embedding:
        try:
            response = orjson.loads(answer)
            numbers = np.asarray(response["embedding"], np.float32)
            self._on_tokens(int(response.get("inputTextTokenCount", 0)))
        except (ValueError, TypeError, KeyError) as error:
            raise self._unavailable("sent an answer without an embedding") from error
        if numbers.shape != (self.dimension,) or not np.isfinite(numbers).all() or not numbers.any():
            raise self._unavailable(f"sent something else than {self.dimension} finite numbers")
        return unit_length(numbers)

    def _translate(self, error: boto.ClientError) -> MemoryServiceError:
        code = error.response.get("Error", {}).get("Code", "")
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _UNAVAILABLE_CODES or status >= 500:
            return self._unavailable("is not available")
        if code in _THROTTLING_CODES or status == 429:
            return ResourceExhausted(
                Reason.EMBEDDER_THROTTLED,
                f"{self.model} throttles: try again more slowly, or ask AWS for a higher quota",
                metadata={"model": self.model},
                retry_after=2.0,
            )
        text = error.response.get("Error", {}).get("Message", "")
        if is_text_too_long(code, text):
            message = f"the text has more tokens than {self.model} takes (8,192): shorten it or split it"
            return InvalidRequest(
                Reason.TEXT_NOT_EMBEDDABLE,
                message,
                metadata={"model": self.model},
                violations=[Violation("content or query_text", message, "text.embeddable")],
            )
        return _misconfigured(operator_advice(code, text, status, self.model))

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(
            Reason.EMBEDDER_UNAVAILABLE,
            f"{self.model} on Bedrock {what}: try again, or send an embedding of your own",
            metadata={"model": self.model},
            retry_after=2.0,
        )


def _misconfigured(message: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{message}; this is for the server's operator")
