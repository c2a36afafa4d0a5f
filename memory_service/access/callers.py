"""Callers and their rights."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from memory_service.memory.errors import PermissionDenied, Reason, Unauthenticated


class Right(StrEnum):
    """What a caller may do, within its users."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"
    """Create and drop indexes."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `users` None: every user, as a trusted backend has it."""

    name: str
    users: frozenset[str] | None
    rights: frozenset[Right]

    def check(self, right: Right, users: Iterable[str | None]) -> None:
        """Refuse what this caller may not do; None among the users stands for all of them.

        Raises:
            PermissionDenied: the same for users that exist and that do not.
        """
        if right not in self.rights:
            raise _denied(f"this key or token has no right to {right}: ask the service's operator for one that has it")
        if self.users is not None and any(user is None or user not in self.users for user in users):
            raise _denied("this key or token is for other users: name a user_id that it is for")


ANYONE = Caller("anyone", None, frozenset(Right))
"""The caller where no access is configured: whoever reaches the port is trusted."""


class Verifier(Protocol):
    """Knows callers by what they show."""

    async def caller(self, credential: str) -> Caller | None:
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
        return ANYONE
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise unauthenticated("send the metadata authorization: Bearer <API key or token>")
    for verifier in asked:
        if (caller := await verifier.caller(credential.strip())) is not None:
            return caller
    raise unauthenticated("this API key or token is not known here: check it, or ask the service's operator")


def unauthenticated(message: str) -> Unauthenticated:
    """An error about what a caller shows; the message never repeats it."""
    return Unauthenticated(Reason.UNAUTHENTICATED, message)


def _denied(message: str) -> PermissionDenied:
    return PermissionDenied(Reason.PERMISSION_DENIED, message)
