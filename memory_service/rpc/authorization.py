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
class _Requirement:
    """`users` None: the method concerns every user, whatever the request says."""

    right: Right
    users: Callable[[Any], Users] | None


def _user_of(request: Any) -> Users:
    # A request that names neither a user nor all_users is refused as invalid, and touches nobody until then.
    return [None] if request.all_users else [request.user_id] if request.user_id else []


def _user_of_filter(request: Any) -> Users:
    return _user_of(request.filter)


def _users_of_memories(request: Any) -> Users:
    return [one.user_id for one in _memories(request) if one.user_id]


def _memories(request: Any) -> Iterable[Any]:
    """The memories of a Store or a BatchStore."""
    return request.memories if isinstance(request, BatchStoreRequest) else [request]


_REQUIREMENTS = {
    # An index holds the memories of every user, and so does the count of them.
    "EnsureIndex": _Requirement(Right.ADMIN, None),
    "DropIndex": _Requirement(Right.ADMIN, None),
    "GetIndex": _Requirement(Right.READ, None),
    "ListIndexes": _Requirement(Right.READ, None),
    "Store": _Requirement(Right.WRITE, _users_of_memories),
    "BatchStore": _Requirement(Right.WRITE, _users_of_memories),
    "Search": _Requirement(Right.READ, _user_of_filter),
    "List": _Requirement(Right.READ, _user_of_filter),
    "Get": _Requirement(Right.READ, _user_of),
    "Delete": _Requirement(Right.DELETE, _user_of),
    "DeleteMatching": _Requirement(Right.DELETE, _user_of_filter),
}


def is_batch(method: str) -> bool:
    """Whether calls of this method stand for many, and wait in lines of their own."""
    return method == "BatchStore"


def flow_of(caller: Caller, method: str, request: Any) -> Flow:
    """Whose work this call is, for queues that are fair between callers and their users."""
    users = _REQUIREMENTS[method].users
    named = set(users(request)) if users is not None else set()
    [user] = named if len(named) == 1 else [None]
    return Flow(caller.name, user or "", batch=is_batch(method))


def authorize(caller: Caller, method: str, request: Any) -> None:
    """Refuse what the caller may not do. `method` is the bare name; an unknown one is a bug here, and refused too.

    Raises:
        PermissionDenied: the caller lacks the right, or the request concerns users that it is not for.
    """
    requirement = _REQUIREMENTS[method]
    if requirement.users is None:
        caller.require_all_users(requirement.right)
        return
    users = requirement.users(request)
    caller.require(requirement.right, users)
    # Near duplicates tell of memories that are there already.
    if requirement.right is Right.WRITE and any(one.HasField("near_duplicate_min_score") for one in _memories(request)):
        caller.require(Right.READ, users)
