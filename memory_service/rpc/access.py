"""What each method of the contract asks of its caller: a right, and the users whose memories it touches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from memory_service.access.callers import Caller, Right

Users: TypeAlias = "Iterable[str | None]"
"""Users of a request; None for all of them."""


@dataclass(frozen=True, slots=True)
class _Need:
    right: Right
    users: Callable[[Any], Users]


def _one(request: Any) -> Users:
    # A request that names neither a user nor all_users is refused as invalid, and touches nobody until then.
    return [None] if request.all_users else [request.user_id] if request.user_id else []


def _filtered(request: Any) -> Users:
    return _one(request.filter)


def _all(_: Any) -> Users:
    return [None]


def _none(_: Any) -> Users:
    return []


_NEEDS = {
    "EnsureIndex": _Need(Right.ADMIN, _none),
    "DropIndex": _Need(Right.ADMIN, _none),
    # How many memories an index holds is a matter of all users.
    "GetIndex": _Need(Right.READ, _all),
    "ListIndexes": _Need(Right.READ, _all),
    "Store": _Need(Right.WRITE, lambda request: [request.user_id]),
    "BatchStore": _Need(Right.WRITE, lambda request: [one.user_id for one in request.memories]),
    "Search": _Need(Right.READ, _filtered),
    "List": _Need(Right.READ, _filtered),
    "Get": _Need(Right.READ, _one),
    "Delete": _Need(Right.DELETE, _one),
    "DeleteMatching": _Need(Right.DELETE, _filtered),
}


def check_access(caller: Caller, method: str, request: Any) -> None:
    """Refuse what the caller may not do. `method` is the bare name; an unknown one is a bug here, and refused too.

    Raises:
        PermissionDenied: its right or its users do not reach so far.
    """
    need = _NEEDS[method]
    caller.check(need.right, need.users(request))
    # Near duplicates tell of memories that are there already.
    asked = [request] if method == "Store" else request.memories if method == "BatchStore" else ()
    if any(one.HasField("near_duplicate_min_score") for one in asked):
        caller.check(Right.READ, need.users(request))
