"""Errors of Bedrock as errors of the domain."""

import re

from botocore.exceptions import ClientError

from memory_service.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    Reason,
    ResourceExhausted,
    Unavailable,
    Violation,
)
from memory_service.embedding.bedrock_advice import operator_advice

_THROTTLING_CODES = {"ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"}
_UNAVAILABLE_CODES = {
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ModelErrorException",
    "InternalServerException",
    "ServiceUnavailableException",
}

_TEXT_TOO_LONG = re.compile(
    r"too many (input )?tokens|expected maxlength|(input|text|prompt).{0,20} too long", re.IGNORECASE
)


def translate(error: ClientError, model: str) -> MemoryServiceError:
    """Return the error of the domain for an error response of Bedrock. It repeats nothing of AWS's own text."""
    code = error.response.get("Error", {}).get("Code", "")
    text = error.response.get("Error", {}).get("Message", "")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _UNAVAILABLE_CODES or status >= 500:
        return unavailable(model, "is unavailable")
    if code in _THROTTLING_CODES or status == 429:
        return ResourceExhausted(
            Reason.EMBEDDER_THROTTLED,
            f"{model} on Bedrock throttles: retry at a lower rate, or ask AWS for a higher quota",
            metadata={"model": model},
            retry_after=2.0,
        )
    if code == "ValidationException" and _TEXT_TOO_LONG.search(text):
        return _text_too_long(model)
    return misconfigured(operator_advice(code, text, status, model))


def unavailable(model: str, what: str) -> Unavailable:
    """Return the error for an embedder that does not work now; `what` completes "<model> on Bedrock …"."""
    return Unavailable(
        Reason.EMBEDDER_UNAVAILABLE,
        f"{model} on Bedrock {what}: retry, or send an embedding of your own",
        metadata={"model": model},
        retry_after=2.0,
    )


def misconfigured(message: str) -> FailedPrecondition:
    """Return the error for something that only the operator of this service can change."""
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{message}; only the server's operator can do this")


def _text_too_long(model: str) -> InvalidRequest:
    message = f"the text has more tokens than {model} accepts (8,192): shorten it or split it"
    return InvalidRequest(
        Reason.TEXT_NOT_EMBEDDABLE,
        message,
        metadata={"model": model},
        violations=[Violation("text", message, "text.embeddable")],
    )
