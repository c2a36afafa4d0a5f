"""What each method of the contract asks of its caller: a right, and the users whose memories it touches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from semantic_memory.v1.memory_service_pb2 import BatchStoreRequest

from memory_service.access.callers import Caller, Right
from memory_service.domain.fairness import Flow

Users: TypeAlias = "Iterable[str | None]"
"""Users of a request; None for all of them."""


@dataclass(frozen=True, slots=True)
class _Need:
    """`users` None: the method concerns every user, whatever the request says."""

    right: Right
    users: Callable[[Any], Users] | None


def _one(request: Any) -> Users:
    # A request that names neither a user nor all_users is refused as invalid, and touches nobody until then.
    return [None] if request.all_users else [request.user_id] if request.user_id else []


def _filtered(request: Any) -> Users:
    return _one(request.filter)


def _stored(request: Any) -> Users:
    return [one.user_id for one in _memories(request) if one.user_id]


def _memories(request: Any) -> Iterable[Any]:
    """The memories of a Store or a BatchStore."""
    return request.memories if isinstance(request, BatchStoreRequest) else [request]


_NEEDS = {
    # An index holds the memories of every user, and so does the count of them.
    "EnsureIndex": _Need(Right.ADMIN, None),
    "DropIndex": _Need(Right.ADMIN, None),
    "GetIndex": _Need(Right.READ, None),
    "ListIndexes": _Need(Right.READ, None),
    "Store": _Need(Right.WRITE, _stored),
    "BatchStore": _Need(Right.WRITE, _stored),
    "Search": _Need(Right.READ, _filtered),
    "List": _Need(Right.READ, _filtered),
    "Get": _Need(Right.READ, _one),
    "Delete": _Need(Right.DELETE, _one),
    "DeleteMatching": _Need(Right.DELETE, _filtered),
}


def is_batch(method: str) -> bool:
    """Whether calls of this method stand for many, and wait in lines of their own."""
    return method == "BatchStore"


def flow_of(caller: Caller, method: str, request: Any) -> Flow:
    """Whose work this call is, for queues that are fair between callers and their users."""
    users = _NEEDS[method].users
    named = set(users(request)) if users is not None else set()
    [user] = named if len(named) == 1 else [None]
    return Flow(caller.name, user or "", batch=is_batch(method))


def check_access(caller: Caller, method: str, request: Any) -> None:
    """Refuse what the caller may not do. `method` is the bare name; an unknown one is a bug here, and refused too.

    Raises:
        PermissionDenied: the caller lacks the right, or the request concerns users that it is not for.
    """
    need = _NEEDS[method]
    if need.users is None:
        caller.check_everyone(need.right)
        return
    users = need.users(request)
    caller.check(need.right, users)
    # Near duplicates tell of memories that are there already.
    if need.right is Right.WRITE and any(one.HasField("near_duplicate_min_score") for one in _memories(request)):
        caller.check(Right.READ, users)
