"""The authorization of each method: the right that it requires, and access to the users that the request names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from semantic_memory.v1.memory_service_pb2 import BatchStoreRequest

from memory_service.access.callers import Caller, Right
from memory_service.domain.fairness import Flow

Users: TypeAlias = "Iterable[str | None]"
"""User ids that a request names; None stands for all users."""


@dataclass(frozen=True, slots=True)
class _Requirement:
    """The right that a method requires, and the users of a request for it.

    If `users` is None, the method requires access to all users, regardless of the request.
    """

    right: Right
    users: Callable[[Any], Users] | None


def _user_of(request: Any) -> Users:
    # A request that sets neither user_id nor all_users passes here: validation rejects it afterwards.
    return [None] if request.all_users else [request.user_id] if request.user_id else []


def _user_of_filter(request: Any) -> Users:
    return _user_of(request.filter)


def _users_of_memories(request: Any) -> Users:
    return [memory.user_id for memory in _memories(request) if memory.user_id]


def _memories(request: Any) -> Iterable[Any]:
    """Return the memories of a Store or a BatchStore."""
    return request.memories if isinstance(request, BatchStoreRequest) else [request]


_REQUIREMENTS = {
    # An index holds the memories of every user, and its description counts them.
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


def authorize(caller: Caller, method: str, request: Any) -> None:
    """Check that the caller may make this call. `method` is the name without its service, such as "Search".

    Raises:
        PermissionDenied: the caller lacks the right, or access to a user that the request names.
    """
    requirement = _REQUIREMENTS[method]
    if requirement.users is None:
        caller.require_all_users(requirement.right)
        return
    users = requirement.users(request)
    caller.require(requirement.right, users)
    # Near-duplicates reveal memories that are already stored.
    if requirement.right is Right.WRITE and any(
        memory.HasField("near_duplicate_min_score") for memory in _memories(request)
    ):
        caller.require(Right.READ, users)


def flow_of(caller: Caller, method: str, request: Any) -> Flow:
    """Return the flow of a call. Queues are fair between callers and, within a caller, between its users."""
    users_of = _REQUIREMENTS[method].users
    users = set(users_of(request)) if users_of is not None else set()
    [user] = users if len(users) == 1 else [None]
    return Flow(caller.name, user or "", batch=is_batch(method))


def is_batch(method: str) -> bool:
    """Return whether the method does the work of many calls. Batches wait in a separate queue."""
    return method == "BatchStore"
