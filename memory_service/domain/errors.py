"""Every error that the domain, the engine and the embedders raise on purpose.

    MemoryServiceError
    ├── InvalidRequest        the caller's request is wrong: `violations` says where
    ├── NotFound              no such memory or index
    ├── AlreadyExists         the id is taken by another memory
    ├── FailedPrecondition    the index or the server is not what the call needs: `violations` says how
    ├── Exhausted             too much work: retry after `retry_after`
    ├── Unauthenticated       nobody knows who calls
    ├── PermissionDenied      the caller may not do this
    ├── Unavailable           a dependency is unavailable: retry after `retry_after`
    └── DeadlineExceeded      the time is gone

Messages are for callers: they say what to do next, fit every RPC that can return them, and hold no text of a library.
What a log needs is the cause (`raise … from error`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 1.0
"""Seconds that an engine has to answer anything before it counts as away."""


class Reason(StrEnum):
    """The stable reasons of `semantic_memory.v1.ErrorReason`, documented there."""

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
    """One thing that is wrong: the field of the request, or the subject of a precondition, and what is expected."""

    field: str
    description: str
    rule: str = ""


class MemoryServiceError(Exception):
    """Base of every error that a caller may see."""

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
    """The request breaks a rule; nothing was done."""


class NotFound(MemoryServiceError):
    """No such memory or index."""


class AlreadyExists(MemoryServiceError):
    """Another memory has this id."""


class FailedPrecondition(MemoryServiceError):
    """The index or the server is not what this call needs."""


class Exhausted(MemoryServiceError):
    """As much work is under way as is accepted."""


class Unauthenticated(MemoryServiceError):
    """The call shows no credential that is good here."""


class PermissionDenied(MemoryServiceError):
    """The caller has no right to this, or not for these users."""


class Unavailable(MemoryServiceError):
    """A dependency does not answer."""


class DeadlineExceeded(MemoryServiceError):
    """The deadline passed before the work was done."""


def invalid(field: str, description: str, rule: str) -> InvalidRequest:
    """An error about one field of the request."""
    return InvalidRequest(
        Reason.INVALID_REQUEST, f"{field}: {description}", violations=[Violation(field, description, rule)]
    )


def index_not_found(name: str) -> NotFound:
    """An error about an index that is not there."""
    return NotFound(
        Reason.INDEX_NOT_FOUND,
        f"there is no index {name!r}: EnsureIndex (memory-service ensure-index) creates one, ListIndexes names them",
        metadata={"index": name},
    )


def index_busy(why: str) -> Unavailable:
    """An error about an index that is being created or dropped."""
    return Unavailable(Reason.ENGINE_UNAVAILABLE, f"the index cannot be changed now: {why}; try again", retry_after=1.0)


def index_backfilling(name: str) -> Unavailable:
    """An error about an index that does not know every memory yet."""
    return Unavailable(
        Reason.INDEX_BACKFILLING,
        f"index {name!r} is still being built: retry when GetIndex says READY",
        metadata={"index": name},
        retry_after=1.0,
    )


def response_too_large(id_: str = "") -> Exhausted:
    """An error about an answer, or a memory with this id, that no message can hold."""
    what = "this memory, which other software wrote," if id_ else "the answer"
    return Exhausted(
        Reason.RESPONSE_TOO_LARGE,
        f"{what} exceeds 4 MiB, the most that one message may have: read it from Valkey",
        metadata={"id": id_} if id_ else {},
    )


def engine_unavailable(what: str) -> Unavailable:
    """An error about Valkey; `what` completes "Valkey …"."""
    return Unavailable(
        Reason.ENGINE_UNAVAILABLE,
        f"Valkey {what}; retry",
        retry_after=1.0,
    )


def engine_silent(seconds: float) -> Unavailable | DeadlineExceeded:
    """The error of a call that Valkey had so many seconds to answer, and did not: after PATIENCE it is Valkey that is
    away, before that the caller is in a hurry."""
    return deadline_exceeded() if seconds < PATIENCE else engine_unavailable("did not answer in time")


def deadline_exceeded() -> DeadlineExceeded:
    """The error of a call whose time is gone."""
    return DeadlineExceeded(
        Reason.DEADLINE_EXCEEDED,
        "the deadline passed before the work was done, part of which may have been done: retry with more time",
    )
