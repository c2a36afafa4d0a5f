"""Converts errors to the form that pages show."""

from dataclasses import dataclass

import grpc

from memory_service.cli.errors import describe_error
from memory_service.console.forms import FormError

STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""HTTP status for each gRPC status. All others become 502."""

_INPUTS = {
    "content": "content",
    "context": "before",
    "filter.all_labels": "all_label",
    "filter.any_labels": "any_label",
    "filter.end_time": "until",
    "filter.exclude_session_ids": "exclude_session",
    "filter.roles": "role",
    "filter.session_ids": "session",
    "filter.start_time": "since",
    "filter.user_id": "user",
    "filter": "user",
    "labels": "label",
    "neighbor_weight": "neighbors",
    "query_text": "q",
    "session_id": "session",
    "timestamp": "at",
    "user_id": "user",
}
"""The form input for a request field, where their names differ."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error to show on a page."""

    title: str
    lines: list[tuple[str, str, str]]
    """For each violation: the field, the message, and the form input, which may be empty."""
    status: int


def problem_of(error: grpc.aio.AioRpcError | FormError) -> Problem:
    """Convert an error to a Problem."""
    if isinstance(error, FormError):
        return Problem("Some fields are invalid", [(name, message, name) for name, message in error.problems], 400)
    (code, details), *violations = describe_error(error)
    if violations and error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        details = "the service rejected the request"  # its own text only repeats the lines
    lines = [(field.strip(), message, _input_of(field.strip())) for field, message in violations]
    return Problem(f"{code}: {details}", lines, STATUSES.get(error.code(), 502))


def _input_of(field: str) -> str:
    """`session` for filter.session_ids[3]."""
    path = field.partition("[")[0]
    return _INPUTS.get(path, path.partition(".")[0])
