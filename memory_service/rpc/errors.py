"""Errors of the domain as gRPC statuses with google.rpc details: the only place that knows both."""

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import error_reason_pb2, memory_service_pb2

from memory_service.domain.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    NotFound,
    PermissionDenied,
    Reason,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

DOMAIN = "semantic-memory"

_MAX_TRAILER_BYTES = 7000
"""Bytes of an error's trailers. Of more than 8 kB clients see only that the trailers are too large."""
_OTHER_TRAILER_BYTES = 500
"""Bytes of the status, the request id and the names of the trailers."""
_MAX_MESSAGE_BYTES = 800
_MAX_FIELD_BYTES = 200
_MAX_DESCRIPTION_BYTES = 300
_ELLIPSIS = "…".encode()
_DETAIL_OVERHEAD_BYTES = 80
"""What a detail takes beside its own bytes: its type's name and lengths."""
_ENTRY_OVERHEAD_BYTES = 4

M = TypeVar("M", bound=Message)

_CODES: dict[type[MemoryServiceError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    MemoryServiceError: grpc.StatusCode.INTERNAL,
}


def to_status(error: MemoryServiceError) -> grpc.Status:
    """The status of an error: its code, its message, one ErrorInfo, and the details that belong to it. It always fits
    into the trailers: long texts are truncated, and violations beyond the limit left out, the last first."""
    status = status_pb2.Status(code=_CODES[type(error)].value[0], message=truncate(error.message, _MAX_MESSAGE_BYTES))
    metadata = {name: truncate(value, _MAX_DESCRIPTION_BYTES) for name, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    details: list[Message] = [info]
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    # The message travels a second time, percent-encoded, and the details in base64.
    budget = (
        _MAX_TRAILER_BYTES - _OTHER_TRAILER_BYTES - len(quote(status.message, safe=""))
    ) * 3 // 4 - status.ByteSize()
    budget -= sum(one.ByteSize() + _DETAIL_OVERHEAD_BYTES for one in details)
    if isinstance(error, InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=truncate(one.field, _MAX_FIELD_BYTES),
                description=truncate(one.description, _MAX_DESCRIPTION_BYTES),
                reason=truncate(one.rule, _MAX_FIELD_BYTES),
            )
            for one in error.violations
        ]
        details.insert(1, error_details_pb2.BadRequest(field_violations=_within_bytes(violations, budget)))
    elif isinstance(error, FailedPrecondition) and error.violations:
        differences = [
            error_details_pb2.PreconditionFailure.Violation(
                type=error.reason,
                subject=truncate(one.field, _MAX_FIELD_BYTES),
                description=truncate(one.description, _MAX_DESCRIPTION_BYTES),
            )
            for one in error.violations
        ]
        details.insert(1, error_details_pb2.PreconditionFailure(violations=_within_bytes(differences, budget)))
    for detail in details:
        status.details.add().Pack(detail)
    converted: grpc.Status = rpc_status.to_status(status)
    return converted


def truncate(text: str, max_bytes: int) -> str:
    """The text, cut to at most this many bytes with an ellipsis."""
    packed = text.encode(errors="replace")
    if len(packed) <= max_bytes:
        return packed.decode()
    return packed[: max_bytes - len(_ELLIPSIS)].decode(errors="ignore") + _ELLIPSIS.decode()


def _within_bytes(messages: Sequence[M], size: int) -> list[M]:
    """The first of these that fit into this many bytes."""
    ends = itertools.accumulate(
        (one.ByteSize() + _ENTRY_OVERHEAD_BYTES for one in messages), initial=_DETAIL_OVERHEAD_BYTES
    )
    return [one for one, end in zip(messages, list(ends)[1:], strict=True) if end <= size]


def fill_batch_error(message: memory_service_pb2.BatchStoreError, error: MemoryServiceError) -> None:
    """Write the error of one memory of a batch into its message."""
    message.code = _CODES[type(error)].value[0]
    reason: Any = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}")
    message.reason = reason
    message.message = truncate(error.message, _MAX_MESSAGE_BYTES)
    for one in error.violations:
        message.field_violations.add(
            field=truncate(one.field, _MAX_FIELD_BYTES),
            description=truncate(one.description, _MAX_DESCRIPTION_BYTES),
            rule=truncate(one.rule, _MAX_FIELD_BYTES),
        )


def internal(request_id: str) -> MemoryServiceError:
    """What a caller learns of a bug: where its operator finds the rest."""
    return MemoryServiceError(
        Reason.INTERNAL,
        f"a bug of the service: report it with the request id {request_id}, under which the log has the cause",
        metadata={"request_id": request_id},
    )
