"""What Bedrock's refusals mean, by their code and by the text that AWS gives a ValidationException.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html. AWS lists no texts:
these are what users report.
"""

import re

_TOO_LONG = re.compile(
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

_BY_MESSAGE = (
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
        "AWS has retired {model}: set MEMORY_BEDROCK_MODEL to another model, and move the memories to an index of it",
    ),
    (
        re.compile(r"operation not allowed|not authorized to invoke|account is not authorized", re.IGNORECASE),
        "the AWS account may not use {model}: ask for access to the model in the Bedrock console, or AWS support",
    ),
    (
        re.compile(r"access to the model|model access", re.IGNORECASE),
        "the AWS account has no access to {model}: ask for it in the Bedrock console, in this region",
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

_BY_CODE = {
    "AccessDeniedException": "check the role's right bedrock:InvokeModel and the account's access to {model}",
    "ResourceNotFoundException": "this region of Bedrock has no {model}: check MEMORY_BEDROCK_MODEL and "
    "MEMORY_BEDROCK_REGION",
}


def is_text_too_long(code: str, text: str) -> bool:
    """Tell whether Bedrock refuses this text because of its length, which another text may not have."""
    return code == "ValidationException" and _TOO_LONG.search(text) is not None


def operator_advice(code: str, text: str, status: int, model: str) -> str:
    """What the operator does about a refusal that every text would meet. Nothing of AWS's own text is repeated."""
    if code in _CREDENTIALS:
        return _CREDENTIALS[code]
    for pattern, message in _BY_MESSAGE:
        if pattern.search(text):
            return message.format(model=model)
    other = "Bedrock refuses this service's requests ({code}, status {status}): the log has what AWS says"
    return _BY_CODE.get(code, other).format(model=model, code=code or "no code", status=status)
