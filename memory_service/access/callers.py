"""Callers and their rights."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from memory_service.domain.errors import PermissionDenied, Reason, Unauthenticated


class Right(StrEnum):
    """What a caller may do, within its users."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"
    """Create and drop indexes; only of use to a caller with every user, since an index holds the memories of all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `users` None: every user, as a trusted backend has it."""

    name: str
    users: frozenset[str] | None
    rights: frozenset[Right]

    def require(self, right: Right, users: Iterable[str | None]) -> None:
        """Refuse what this caller may not do; None among the users stands for all of them.

        Raises:
            PermissionDenied: the same for users that exist and that do not.
        """
        self._require_right(right)
        if self.users is not None and any(user is None or user not in self.users for user in users):
            raise _denied("this key or token is for other users: name a user_id that it is for")

    def require_all_users(self, right: Right) -> None:
        """Refuse what concerns the memories of every user, unless this caller has the right and every user.

        Raises:
            PermissionDenied: it lacks one of them.
        """
        self._require_right(right)
        if self.users is not None:
            raise _denied(
                "this concerns the memories of every user, and this key or token is for some: "
                'use a key with users = "*", or a token with memory.all_users'
            )

    def _require_right(self, right: Right) -> None:
        if right not in self.rights:
            raise _denied(f"this key or token has no right to {right}: ask the service's operator for one that has it")


ANONYMOUS = Caller("anyone", None, frozenset(Right))
"""The caller where no access is configured: whoever reaches the port is trusted."""


class Verifier(Protocol):
    """Knows callers by what they show."""

    async def verify(self, credential: str) -> Caller | None:
        """The caller of this credential; None when it is of another kind.

        Raises:
            Unauthenticated: it is of this kind and not, or no longer, good.
        """
        ...


async def authenticate(authorization: str | None, verifiers: Iterable[Verifier]) -> Caller:
    """The caller of a call with this `authorization` metadata; anyone where there is no verifier.

    Raises:
        Unauthenticated: nothing, or nothing good, is shown.
    """
    asked = list(verifiers)
    if not asked:
        return ANONYMOUS
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise unauthenticated("send the metadata authorization: Bearer <API key or token>")
    for verifier in asked:
        if (caller := await verifier.verify(credential.strip())) is not None:
            return caller
    raise unauthenticated("this API key or token is not known here: check it, or ask the service's operator")


def unauthenticated(message: str) -> Unauthenticated:
    """An error about what a caller shows; the message never repeats it."""
    return Unauthenticated(Reason.UNAUTHENTICATED, message)


def _denied(message: str) -> PermissionDenied:
    return PermissionDenied(Reason.PERMISSION_DENIED, message)
