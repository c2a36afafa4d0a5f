"""Advice for operators about Bedrock errors that do not depend on the text to embed.

The error code names the cause, except for a ValidationException: there, only the error text does. AWS does not document
these texts; they come from user reports.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

import re

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


def operator_advice(code: str, text: str, status: int, model: str) -> str:
    """Return what is wrong and what to do. `code` and `text` are AWS's, `status` is the HTTP status."""
    if code in _CREDENTIALS:
        return _CREDENTIALS[code]
    for pattern, advice in _ADVICE_BY_TEXT:
        if pattern.search(text):
            return advice.format(model=model)
    return _ADVICE_BY_CODE.get(code, _OTHER_ADVICE).format(model=model, code=code or "no code", status=status)
