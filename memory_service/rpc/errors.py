"""Errors of the domain as gRPC statuses with google.rpc details.

Only this module knows both errors and statuses. docs/reference.md lists the reasons.
"""

from typing import Any
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
from memory_service.rpc.truncation import DETAIL_OVERHEAD_BYTES, first_that_fit, truncate

DOMAIN = "semantic-memory"

_MAX_TRAILER_BYTES = 7000
"""Most bytes of an error's trailers. Clients reject trailers above 8 kB and then see no details at all."""
_OTHER_TRAILER_BYTES = 500
"""Bytes of the status code, the request id and the names of the trailers."""
_MAX_MESSAGE_BYTES = 800
_MAX_FIELD_BYTES = 200
_MAX_DESCRIPTION_BYTES = 300

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
    """Return the status of an error: its code, its message, one ErrorInfo, and the details of its kind.

    The status always fits into the trailers: long texts are truncated, and only the first violations are sent.
    """
    status = status_pb2.Status(code=_CODES[type(error)].value[0], message=truncate(error.message, _MAX_MESSAGE_BYTES))
    metadata = {name: truncate(value, _MAX_DESCRIPTION_BYTES) for name, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    details: list[Message] = [info]
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    # gRPC sends the message twice, once percent-encoded, and the details in base64 (4 bytes for 3).
    encoded_message_bytes = len(quote(status.message, safe=""))
    available = (_MAX_TRAILER_BYTES - _OTHER_TRAILER_BYTES - encoded_message_bytes) * 3 // 4 - status.ByteSize()
    available -= sum(detail.ByteSize() + DETAIL_OVERHEAD_BYTES for detail in details)
    if isinstance(error, InvalidRequest):
        details.insert(1, _bad_request(error, available))
    elif isinstance(error, FailedPrecondition) and error.violations:
        details.insert(1, _precondition_failure(error, available))
    for detail in details:
        status.details.add().Pack(detail)
    converted: grpc.Status = rpc_status.to_status(status)
    return converted


def _bad_request(error: InvalidRequest, max_bytes: int) -> error_details_pb2.BadRequest:
    violations = [
        error_details_pb2.BadRequest.FieldViolation(
            field=truncate(violation.field, _MAX_FIELD_BYTES),
            description=truncate(violation.description, _MAX_DESCRIPTION_BYTES),
            reason=truncate(violation.rule, _MAX_FIELD_BYTES),
        )
        for violation in error.violations
    ]
    return error_details_pb2.BadRequest(field_violations=first_that_fit(violations, max_bytes))


def _precondition_failure(error: FailedPrecondition, max_bytes: int) -> error_details_pb2.PreconditionFailure:
    violations = [
        error_details_pb2.PreconditionFailure.Violation(
            type=error.reason,
            subject=truncate(violation.field, _MAX_FIELD_BYTES),
            description=truncate(violation.description, _MAX_DESCRIPTION_BYTES),
        )
        for violation in error.violations
    ]
    return error_details_pb2.PreconditionFailure(violations=first_that_fit(violations, max_bytes))


def fill_batch_error(message: memory_service_pb2.BatchStoreError, error: MemoryServiceError) -> None:
    """Write the error of one memory of a BatchStore into its message."""
    message.code = _CODES[type(error)].value[0]
    reason: Any = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}")
    message.reason = reason
    message.message = truncate(error.message, _MAX_MESSAGE_BYTES)
    for violation in error.violations:
        message.field_violations.add(
            field=truncate(violation.field, _MAX_FIELD_BYTES),
            description=truncate(violation.description, _MAX_DESCRIPTION_BYTES),
            rule=truncate(violation.rule, _MAX_FIELD_BYTES),
        )


def internal(request_id: str) -> MemoryServiceError:
    """Return the error for an unexpected exception. The log has its cause under the request id."""
    return MemoryServiceError(
        Reason.INTERNAL,
        f"internal error: report request id {request_id}; the server's log has the cause under this id",
        metadata={"request_id": request_id},
    )
