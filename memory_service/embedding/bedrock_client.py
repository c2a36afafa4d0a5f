"""The boto3 client for Amazon Bedrock, and the settings that it is created from."""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from memory_service.domain.errors import FailedPrecondition, Reason

TITAN_V1 = "amazon.titan-embed-text-v1"
TITAN_V2 = "amazon.titan-embed-text-v2:0"
_DIMENSIONS = {TITAN_V1: (1536,), TITAN_V2: (1024, 512, 256)}
"""Dimensions of each model, the default first."""


@dataclass(frozen=True, slots=True)
class BedrockSettings:
    """How to call Bedrock. Timeouts are in seconds.

    `dimension` None means the model's default, `region` None boto3's own. `attempts` includes the first one: boto3
    retries throttling and failures within a call.
    """

    model: str = TITAN_V1
    dimension: int | None = None
    region: str | None = None
    endpoint_url: str | None = None
    concurrency: int = 16
    attempts: int = 2
    connect_timeout: float = 2.0
    read_timeout: float = 10.0


def check_dimension(settings: BedrockSettings) -> int:
    """Return the dimension of the embeddings.

    Raises:
        FailedPrecondition: the model is unknown, or does not have the dimension.
    """
    if settings.model not in _DIMENSIONS:
        raise _bad_setting(
            "MEMORY_BEDROCK_MODEL",
            f"{settings.model!r} is unknown: set {' or '.join(_DIMENSIONS)}",
            TITAN_V2,
        )
    dimensions = _DIMENSIONS[settings.model]
    if settings.dimension is None:
        return dimensions[0]
    if settings.dimension not in dimensions:
        raise _bad_setting(
            "MEMORY_BEDROCK_DIMENSION",
            f"{settings.model} has no dimension {settings.dimension}: set {' or '.join(map(str, dimensions))}",
            str(dimensions[0]),
        )
    return settings.dimension


def create_client(settings: BedrockSettings) -> Any:
    """Return the boto3 client. It looks for credentials when the first call is made.

    Raises:
        FailedPrecondition: the region is missing, or the endpoint is not a URL.
    """
    try:
        return boto3.session.Session().client(
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
    except BotoCoreError as error:
        what = f"boto3 cannot create a client for Bedrock ({error}): set a region here or in AWS_REGION"
        raise _bad_setting("MEMORY_BEDROCK_REGION", what, "us-east-1") from error
    except ValueError as error:  # botocore raises it for an invalid URL.
        example = "https://bedrock-runtime.us-east-1.amazonaws.com"
        raise _bad_setting("MEMORY_BEDROCK_ENDPOINT_URL", "is not an HTTP URL", example) from error


def _bad_setting(setting: str, what: str, example: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{setting}: {what}; for example {setting}={example}")
