"""The error of a call, with what its google.rpc details say."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from google.rpc import error_details_pb2, status_pb2

from semantic_memory.v1.error_reason_pb2 import ERROR_REASON_UNSPECIFIED, ErrorReason
from semantic_memory.v1.memory_service_pb2 import BatchStoreError, FieldViolation


@dataclass
class MemoryServiceError(Exception):
    """The error of a call. Its text has the code, the reason and the cause in one line."""

    code: grpc.StatusCode
    details: str
    reason: ErrorReason = ERROR_REASON_UNSPECIFIED
    """The stable name of the cause. Unspecified if the error did not come from the server."""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: list[FieldViolation] = field(default_factory=list)
    """The wrong fields of the request, or the failed preconditions."""
    retry_delay: float | None = None
    """Seconds to wait before the next attempt, if the server names a time."""

    def __str__(self) -> str:
        reason = "" if self.reason == ERROR_REASON_UNSPECIFIED else " " + ErrorReason.Name(self.reason)[13:]
        return f"{self.code.name}{reason}: {self.details}"


def to_error(call: Any) -> MemoryServiceError:
    """Return the error of a failed call: of a grpc.RpcError, sync or asyncio."""
    error = MemoryServiceError(call.code(), " ".join(str(call.details()).split()))
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                _add(error, detail)
    return error


def to_batch_error(error: BatchStoreError) -> MemoryServiceError:
    """Return the error of one memory of a BatchStore."""
    code = next(one for one in grpc.StatusCode if one.value[0] == error.code)
    return MemoryServiceError(code, error.message, error.reason, violations=list(error.field_violations))


def _add(error: MemoryServiceError, detail: Any) -> None:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    unmet, retry = error_details_pb2.PreconditionFailure(), error_details_pb2.RetryInfo()
    if detail.Unpack(info):
        with contextlib.suppress(ValueError):  # a newer server has reasons that this client does not know
            error.reason = cast("ErrorReason", ErrorReason.Value(f"ERROR_REASON_{info.reason}"))
        error.metadata = dict(info.metadata)
    elif detail.Unpack(bad):
        error.violations += [
            FieldViolation(field=one.field, description=one.description, rule=one.reason)
            for one in bad.field_violations
        ]
    elif detail.Unpack(unmet):
        error.violations += [
            FieldViolation(field=one.subject, description=one.description, rule=one.type) for one in unmet.violations
        ]
    elif detail.Unpack(retry):
        error.retry_delay = retry.retry_delay.ToTimedelta().total_seconds()
