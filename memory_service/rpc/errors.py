"""Errors of the domain as gRPC statuses with google.rpc details: the only place that knows both."""

from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import error_reason_pb2, memory_service_pb2

from memory_service.memory.errors import (
    AlreadyExists,
    DeadlineExceeded,
    Exhausted,
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    NotFound,
    PermissionDenied,
    Reason,
    Unauthenticated,
    Unavailable,
)

DOMAIN = "semantic-memory"

_CODES: dict[type[MemoryServiceError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    MemoryServiceError: grpc.StatusCode.INTERNAL,
}


def to_status(error: MemoryServiceError) -> grpc.Status:
    """The status of an error: its code, its message, one ErrorInfo, and the details that belong to it."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    if isinstance(error, InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=one.field, description=one.description, reason=one.rule)
            for one in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    elif isinstance(error, FailedPrecondition) and error.violations:
        differences = [
            error_details_pb2.PreconditionFailure.Violation(
                type=error.reason, subject=one.field, description=one.description
            )
            for one in error.violations
        ]
        details.append(error_details_pb2.PreconditionFailure(violations=differences))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=_CODES[type(error)].value[0], message=error.message)
    for detail in details:
        status.details.add().Pack(detail)
    converted: grpc.Status = rpc_status.to_status(status)
    return converted


def fill_batch_error(message: memory_service_pb2.BatchStoreError, error: MemoryServiceError) -> None:
    """Write the error of one memory of a batch into its message."""
    message.code = _CODES[type(error)].value[0]
    reason: Any = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}")
    message.reason = reason
    message.message = error.message
    for one in error.violations:
        message.field_violations.add(field=one.field, description=one.description, rule=one.rule)


def internal(request_id: str) -> MemoryServiceError:
    """What a caller learns of a bug: where its operator finds the rest."""
    return MemoryServiceError(
        Reason.INTERNAL,
        f"a bug of the service: report it with the request id {request_id}, under which the log has the cause",
        metadata={"request_id": request_id},
    )
