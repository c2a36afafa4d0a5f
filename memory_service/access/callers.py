"""Callers, their rights and their users."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from memory_service.domain.errors import PermissionDenied, Reason, Unauthenticated


class Right(StrEnum):
    """What a caller may do with the memories of its users."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"
    """Create and drop indexes. An index holds the memories of all users, so the caller also needs access to all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `users` are the user ids that it may access; None means all users."""

    name: str
    users: frozenset[str] | None
    rights: frozenset[Right]

    def require(self, right: Right, users: Iterable[str | None]) -> None:
        """Check that this caller has the right for each of these users; None stands for all users.

        Raises:
            PermissionDenied: the right or access to a user is missing. The error does not reveal whether a user exists.
        """
        self._require_right(right)
        if self.users is not None and any(user is None or user not in self.users for user in users):
            raise _denied("this API key or token has no access to the users of this call: set a user_id that it is for")

    def require_all_users(self, right: Right) -> None:
        """Check that this caller has the right, and access to all users.

        Raises:
            PermissionDenied: the caller lacks the right or the access.
        """
        self._require_right(right)
        if self.users is not None:
            raise _denied(
                "this call concerns the memories of all users, and this API key or token is for some of them: "
                'use a key with users = "*", or a token with memory.all_users'
            )

    def _require_right(self, right: Right) -> None:
        if right not in self.rights:
            raise _denied(
                f'this API key or token lacks the right "{right}": ask the service\'s operator for one that has it'
            )


ANONYMOUS = Caller("anyone", None, frozenset(Right))
"""The caller of every call when no access control is configured. It may do everything."""


class Verifier(Protocol):
    """Verifies one kind of credential."""

    async def verify(self, credential: str) -> Caller | None:
        """Return the caller of this credential; None when it is of another kind.

        Raises:
            Unauthenticated: it is of this kind, but unknown, expired or otherwise not valid.
            Unavailable: it cannot be verified now.
        """
        ...


async def authenticate(authorization: str | None, verifiers: Sequence[Verifier]) -> Caller:
    """Return the caller of a call with this `authorization` metadata, or ANONYMOUS when there are no verifiers.

    Raises:
        Unauthenticated: the credential is missing or not valid.
        Unavailable: the credential cannot be verified now.
    """
    if not verifiers:
        return ANONYMOUS
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise unauthenticated("the call has no credential: send the metadata authorization: Bearer <API key or token>")
    for verifier in verifiers:
        if (caller := await verifier.verify(credential.strip())) is not None:
            return caller
    raise unauthenticated("this API key or token is unknown: check it, or ask the service's operator")


def unauthenticated(message: str) -> Unauthenticated:
    """Return the error for a credential. The message must never repeat the credential."""
    return Unauthenticated(Reason.UNAUTHENTICATED, message)


def _denied(message: str) -> PermissionDenied:
    return PermissionDenied(Reason.PERMISSION_DENIED, message)
