"""Amazon Titan text embeddings on Amazon Bedrock, through boto3.

boto3 blocks, so calls run in a pool of threads, with one connection per thread. A call whose
caller has given up still occupies its thread until the read timeout. The size of the pool limits what an outage can
block.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
from botocore import exceptions as boto

from memory_service.domain.deadline import remaining
from memory_service.domain.embeddings import EmbeddedText, unit_length
from memory_service.domain.errors import deadline_exceeded
from memory_service.domain.types import Embedding
from memory_service.embedding.bedrock_client import (
    TITAN_V1,
    TITAN_V2,
    BedrockSettings,
    check_dimension,
    create_client,
)
from memory_service.embedding.bedrock_errors import misconfigured, translate, unavailable

__all__ = ["TITAN_V1", "TITAN_V2", "BedrockEmbedder", "BedrockSettings"]


class BedrockEmbedder:
    """Embeds one text per call, the most that Titan accepts."""

    def __init__(self, settings: BedrockSettings, *, on_tokens: Callable[[int], None] = lambda _: None) -> None:
        """Create the client. boto3 looks for credentials on the first call.

        `on_tokens` is called from any thread with the number of tokens read, which is what AWS charges for.

        Raises:
            FailedPrecondition: the model, dimension, region or endpoint is wrong or missing.
        """
        self.model = settings.model
        self.dimension = check_dimension(settings)
        self.concurrency = self.per_flow = settings.concurrency
        self._settings = settings
        self._on_tokens = on_tokens
        self._client = create_client(settings)
        self._executor = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="bedrock")

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text. Titan reads all of it, or refuses a text that is too long."""
        max_seconds = self._settings.attempts * (self._settings.connect_timeout + self._settings.read_timeout)
        limit = remaining(max_seconds)
        try:
            async with asyncio.timeout(limit):
                loop = asyncio.get_running_loop()
                return EmbeddedText(await loop.run_in_executor(self._executor, self._embed, text))
        except TimeoutError as error:
            timed_out = unavailable(self.model, "does not respond") if limit == max_seconds else deadline_exceeded()
            raise timed_out from error

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
            content = response["body"].read()
        except boto.ClientError as error:
            raise translate(error, self.model) from error
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise unavailable(self.model, "does not respond") from error
        except boto.BotoCoreError as error:
            raise misconfigured("boto3 cannot call Bedrock: check the AWS credentials and region") from error
        return self._parse(content)

    def _parse(self, content: bytes) -> Embedding:
        try:
            response = orjson.loads(content)
            numbers = np.asarray(response["embedding"], np.float32)
            self._on_tokens(int(response.get("inputTextTokenCount", 0)))
        except (ValueError, TypeError, KeyError) as error:
            raise unavailable(self.model, "returned no embedding") from error
        if numbers.shape != (self.dimension,) or not np.isfinite(numbers).all() or not numbers.any():
            raise unavailable(self.model, f"did not return {self.dimension} finite numbers")
        return unit_length(numbers)
