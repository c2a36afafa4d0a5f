"""The errors that the domain, the engine and the embedders raise on purpose.

    MemoryServiceError
    ├── InvalidRequest        the request is wrong; `violations` names the fields
    ├── NotFound              no such memory or index
    ├── AlreadyExists         another memory has the id
    ├── FailedPrecondition    the index or the server cannot serve this call; `violations` says why
    ├── ResourceExhausted     too much work in progress: retry after `retry_after`
    ├── Unauthenticated       no valid credential
    ├── PermissionDenied      the caller may not do this
    ├── Unavailable           a dependency is unavailable: retry after `retry_after`
    └── DeadlineExceeded      the deadline passed

Messages are for callers. They say what to do next, fit every RPC that can return them, and contain no text of a
library. The log gets the cause (`raise … from error`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

UNRESPONSIVE_AFTER = 1.0
"""Seconds without any reply after which the engine counts as unavailable."""


class Reason(StrEnum):
    """The stable reasons of `semantic_memory.v1.ErrorReason`, which documents them."""

    INVALID_REQUEST = "INVALID_REQUEST"
    DIMENSION_MISMATCH = "DIMENSION_MISMATCH"
    TEXT_NOT_EMBEDDABLE = "TEXT_NOT_EMBEDDABLE"
    MEMORY_NOT_FOUND = "MEMORY_NOT_FOUND"
    INDEX_NOT_FOUND = "INDEX_NOT_FOUND"
    MEMORY_EXISTS = "MEMORY_EXISTS"
    INDEX_DIFFERS = "INDEX_DIFFERS"
    MODEL_MISMATCH = "MODEL_MISMATCH"
    SERVER_MISCONFIGURED = "SERVER_MISCONFIGURED"
    EMBEDDER_THROTTLED = "EMBEDDER_THROTTLED"
    OVERLOADED = "OVERLOADED"
    EMBEDDER_UNAVAILABLE = "EMBEDDER_UNAVAILABLE"
    ENGINE_UNAVAILABLE = "ENGINE_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INDEX_LACKS_FIELDS = "INDEX_LACKS_FIELDS"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    ACCESS_UNAVAILABLE = "ACCESS_UNAVAILABLE"
    INDEX_BACKFILLING = "INDEX_BACKFILLING"
    RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation: the field of the request, or the subject of a precondition, and what is expected."""

    field: str
    description: str
    rule: str = ""


class MemoryServiceError(Exception):
    """Base of all errors that callers can receive."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after


class InvalidRequest(MemoryServiceError):
    """The request violates a rule. Nothing was changed."""

    def for_field(self, field: str) -> "InvalidRequest":
        """Return the same error about this field, for code that does not know the request's fields."""
        return InvalidRequest(
            self.reason,
            f"{field}: {self.message}",
            metadata=self.metadata,
            violations=[Violation(field, violation.description, violation.rule) for violation in self.violations],
        )


class NotFound(MemoryServiceError):
    """No such memory or index."""


class AlreadyExists(MemoryServiceError):
    """Another memory has the id."""


class FailedPrecondition(MemoryServiceError):
    """The index or the server cannot serve this call in its current state."""


class ResourceExhausted(MemoryServiceError):
    """Too much work is in progress."""


class Unauthenticated(MemoryServiceError):
    """The call has no valid credential."""


class PermissionDenied(MemoryServiceError):
    """The caller lacks the right for this, or has it for other users only."""


class Unavailable(MemoryServiceError):
    """A dependency is unavailable."""


class DeadlineExceeded(MemoryServiceError):
    """The deadline passed before the work was finished."""


def invalid(field: str, description: str, rule: str) -> InvalidRequest:
    """Return the error for one field of the request."""
    return InvalidRequest(
        Reason.INVALID_REQUEST, f"{field}: {description}", violations=[Violation(field, description, rule)]
    )


def index_not_found(name: str) -> NotFound:
    """Return the error for a missing index."""
    return NotFound(
        Reason.INDEX_NOT_FOUND,
        f"index {name!r} does not exist: create it with EnsureIndex (memory-service ensure-index), or see ListIndexes",
        metadata={"index": name},
    )


def index_busy(why: str) -> Unavailable:
    """Return the error for an index that is being created or dropped."""
    return Unavailable(
        Reason.ENGINE_UNAVAILABLE, f"the index cannot be used or changed right now: {why}; retry", retry_after=1.0
    )


def index_backfilling(name: str) -> Unavailable:
    """Return the error for an index that does not contain every memory yet."""
    return Unavailable(
        Reason.INDEX_BACKFILLING,
        f"index {name!r} is still being built: retry when GetIndex reports READY",
        metadata={"index": name},
        retry_after=1.0,
    )


def response_too_large(id_: str = "") -> ResourceExhausted:
    """Return the error for a response, or the memory with this id, that exceeds the size of a message."""
    what = "the memory, which other software wrote," if id_ else "the response"
    return ResourceExhausted(
        Reason.RESPONSE_TOO_LARGE,
        f"{what} exceeds the message limit of 4 MiB: read it from Valkey directly",
        metadata={"id": id_} if id_ else {},
    )


def engine_unavailable(what: str) -> Unavailable:
    """Return the error for an unavailable Valkey; `what` completes "Valkey …"."""
    return Unavailable(
        Reason.ENGINE_UNAVAILABLE,
        f"Valkey {what}; retry",
        retry_after=1.0,
    )


def engine_timeout(seconds: float) -> Unavailable | DeadlineExceeded:
    """Return the error for a command that Valkey did not answer within `seconds`.

    From UNRESPONSIVE_AFTER on, Valkey counts as unavailable. A shorter wait means that the caller's deadline was short.
    """
    return deadline_exceeded() if seconds < UNRESPONSIVE_AFTER else engine_unavailable("did not answer in time")


def deadline_exceeded() -> DeadlineExceeded:
    """Return the error for a call whose deadline passed."""
    return DeadlineExceeded(
        Reason.DEADLINE_EXCEEDED,
        "the deadline passed before the work was finished; part of it may be done. Retry with a longer deadline",
    )
