"""Errors of Bedrock as errors of the domain.

AWS tells refusals apart by their code and, for a ValidationException, only by the text. AWS does not list these texts:
they come from reports of users.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

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

_CREDENTIALS = {
    "ExpiredTokenException": "the AWS credentials have expired: renew them",
    "ExpiredToken": "the AWS credentials have expired: renew them",
    "UnrecognizedClientException": "AWS does not know these credentials: check them, and that their region is enabled",
    "InvalidClientTokenId": "AWS does not know these credentials: check them, and that their region is enabled",
    "IncompleteSignature": "AWS rejects the signature: check the secret access key",
    "InvalidSignatureException": "AWS rejects the signature: check the secret access key and this machine's clock",
    "SignatureDoesNotMatch": "AWS rejects the signature: check the secret access key and this machine's clock",
    "OptInRequired": "the AWS account is not subscribed to Bedrock: enable it in the AWS console",
}
"""Advice by error code, for errors about credentials."""

_ADVICE_BY_TEXT = (
    (
        re.compile(r"model identifier|model id .* is invalid|could not resolve the foundation model", re.IGNORECASE),
        "this region of Bedrock has no {model}: check MEMORY_BEDROCK_MODEL and MEMORY_BEDROCK_REGION",
    ),
    (
        re.compile(r"on-demand throughput", re.IGNORECASE),
        "{model} is not available on demand in this region: set MEMORY_BEDROCK_REGION to one where it is",
    ),
    (
        re.compile(r"end of its life|legacy|deprecated", re.IGNORECASE),
        "AWS has retired {model}: set MEMORY_BEDROCK_MODEL to another model and move the memories to a new index",
    ),
    (
        re.compile(r"operation not allowed|not authorized to invoke|account is not authorized", re.IGNORECASE),
        "the AWS account may not use {model}: request access to the model in the Bedrock console or from AWS support",
    ),
    (
        re.compile(r"access to the model|model access", re.IGNORECASE),
        "the AWS account has no access to {model}: request it in the Bedrock console, in this region",
    ),
    (
        re.compile(r"not authorized to perform|policy", re.IGNORECASE),
        "the AWS role may not call {model}: allow bedrock:InvokeModel on it",
    ),
    (
        re.compile(r"malformed|schema|doesn't support|not supported", re.IGNORECASE),
        "{model} does not understand these requests: check MEMORY_BEDROCK_MODEL and MEMORY_BEDROCK_ENDPOINT_URL",
    ),
)

_ADVICE_BY_CODE = {
    "AccessDeniedException": "AWS denies access: check that the role may call bedrock:InvokeModel and that the account "
    "has access to {model}",
    "ResourceNotFoundException": "this region of Bedrock has no {model}: check MEMORY_BEDROCK_MODEL and "
    "MEMORY_BEDROCK_REGION",
}
_OTHER_ADVICE = "Bedrock refuses this service's requests ({code}, status {status}): the log has what AWS says"


def translate(error: ClientError, model: str) -> MemoryServiceError:
    """Return the error of the domain for an error response of Bedrock. It repeats nothing of AWS's own text."""
    code = error.response.get("Error", {}).get("Code", "")
    text = error.response.get("Error", {}).get("Message", "")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _UNAVAILABLE_CODES or status >= 500:
        return unavailable(model, "is not available")
    if code in _THROTTLING_CODES or status == 429:
        return ResourceExhausted(
            Reason.EMBEDDER_THROTTLED,
            f"{model} on Bedrock throttles: retry at a lower rate, or ask AWS for a higher quota",
            metadata={"model": model},
            retry_after=2.0,
        )
    if code == "ValidationException" and _TEXT_TOO_LONG.search(text):
        return _text_too_long(model)
    return misconfigured(_advice(code, text, status, model))


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
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{message}; this is for the server's operator")


def _text_too_long(model: str) -> InvalidRequest:
    message = f"the text has more tokens than {model} accepts (8,192): shorten it or split it"
    return InvalidRequest(
        Reason.TEXT_NOT_EMBEDDABLE,
        message,
        metadata={"model": model},
        violations=[Violation("content or query_text", message, "text.embeddable")],
    )


def _advice(code: str, text: str, status: int, model: str) -> str:
    """Return what the operator should do about a refusal that does not depend on the text to embed."""
    if code in _CREDENTIALS:
        return _CREDENTIALS[code]
    for pattern, advice in _ADVICE_BY_TEXT:
        if pattern.search(text):
            return advice.format(model=model)
    return _ADVICE_BY_CODE.get(code, _OTHER_ADVICE).format(model=model, code=code or "no code", status=status)
