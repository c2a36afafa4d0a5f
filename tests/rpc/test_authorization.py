"""Every method with every right, every scope of a key and every scope of a request; the methods are those of the
contract's descriptor."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.access.callers import Right
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.authorization_cases import drain, store, where
from tests.support.credentials import api_key, server_with_auth, stub_with_credential

METHODS = {one.name: one for one in pb.DESCRIPTOR.services_by_name["MemoryService"].methods}

SCOPES: dict[str, list[str] | None] = {"one user": ["alice"], "two users": ["alice", "bob"], "every user": None}
GRANTS: dict[str, list[str]] = {
    **{f"only {right}": [right] for right in Right},
    **{f"all but {right}": [one for one in Right if one != right] for right in Right},
    "all": list(Right),
    "none": [],
}
KEYS = {
    (scope, grant): api_key(f"{scope}, {grant}", users, *rights)
    for scope, users in SCOPES.items()
    for grant, rights in GRANTS.items()
}

ALLOWED_SCOPES: dict[str, set[str]] = {
    "own user": {"one user", "two users", "every user"},
    "several users": {"two users", "every user"},
    "other user": {"every user"},
    "all_users": {"every user"},
    "no scope": {"one user", "two users", "every user"},
}
"""The scopes of keys that may make a request of each scope."""

USERS: dict[str, list[str | None]] = {
    "own user": ["alice"],
    "several users": ["alice", "bob"],
    "other user": ["carol"],
    "all_users": [None],
    "no scope": [""],
}

Make = Callable[[str | None], Any]


def batch(*users: str | None, **more: Any) -> pb.BatchStoreRequest:
    return pb.BatchStoreRequest(memories=[store(user or "", **more) for user in users])


ONE_USER: dict[str, tuple[set[str], Make]] = {
    "Store": ({"write"}, lambda user: store(user or "")),
    "Store with near duplicates": ({"write", "read"}, lambda user: store(user or "", near_duplicate_min_score=0.5)),
    "Search": ({"read"}, lambda user: pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=where(user))),
    "List": ({"read"}, lambda user: pb.ListRequest(filter=where(user), page_size=1)),
    "Get": ({"read"}, lambda user: pb.GetRequest(user_id=user or "", all_users=user is None, id="none")),
    "Delete": ({"delete"}, lambda user: pb.DeleteRequest(user_id=user or "", all_users=user is None, ids=["none"])),
    "DeleteMatching": (
        {"delete"},
        lambda user: pb.DeleteMatchingRequest(
            filter=memory_pb2.MemoryFilter(user_id=user or "", all_users=user is None, session_ids=["none"])
        ),
    ),
}
SEVERAL_USERS: dict[str, tuple[set[str], Callable[..., Any]]] = {
    "BatchStore": ({"write"}, batch),
    "BatchStore with near duplicates": (
        {"write", "read"},
        lambda *users: batch(*users, near_duplicate_min_score=0.5),
    ),
}
EVERY_USER: dict[str, tuple[set[str], Any]] = {
    "GetIndex": ({"read"}, pb.GetIndexRequest()),
    "ListIndexes": ({"read"}, pb.ListIndexesRequest()),
    "EnsureIndex": ({"admin"}, pb.EnsureIndexRequest()),
    "DropIndex": ({"admin"}, pb.DropIndexRequest(index="test_none")),
    "DropIndex with its memories": ({"admin"}, pb.DropIndexRequest(index="test_none", delete_memories=True)),
}
CALLS = {**ONE_USER, **SEVERAL_USERS, **EVERY_USER}


def method_of(name: str) -> str:
    return name.partition(" with")[0]


def test_every_method_of_the_contract_has_a_row() -> None:
    assert {method_of(name) for name in CALLS} == set(METHODS)


@pytest.fixture(scope="module")
async def callers(
    settings: Settings, server: RpcServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[tuple[str, str], Stub]]:
    """A stub for each key."""
    assert server, "the index exists"
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with AsyncExitStack() as stack:
        server_with_keys = await stack.enter_async_context(server_with_auth(settings, api_keys=file))
        yield {
            who: await stack.enter_async_context(stub_with_credential(server_with_keys, key))
            for who, (key, _) in KEYS.items()
        }


async def outcome(stub: Stub, name: str, request: Any) -> grpc.StatusCode:
    """Return the status code of the call in a row of the table."""
    method = METHODS[method_of(name)]
    call = getattr(stub, method.name)(request, timeout=TIMEOUT)
    try:
        await (drain(call) if method.server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def requests(name: str) -> dict[str, Any]:
    """Return the requests of a row, by their scopes."""
    if name in ONE_USER:
        by_scope = {scope: ONE_USER[name][1](users[0]) for scope, users in USERS.items() if len(users) == 1}
        if name.startswith("Store"):
            del by_scope["all_users"]  # Store has no all_users.
        return by_scope
    if name in SEVERAL_USERS:
        return {scope: SEVERAL_USERS[name][1](*users) for scope, users in USERS.items() if users != [None]}
    return {"all_users": EVERY_USER[name][1]}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", CALLS)
async def test_a_key_reaches_only_what_its_rights_and_users_allow(
    callers: dict[tuple[str, str], Stub], name: str, scope: str
) -> None:
    needed = CALLS[name][0]
    for grant, rights in GRANTS.items():
        for request_scope, request in requests(name).items():
            code = await outcome(callers[scope, grant], name, request)
            allowed = needed <= set(rights) and scope in ALLOWED_SCOPES[request_scope]
            assert (code is not grpc.StatusCode.PERMISSION_DENIED) == allowed, (grant, request_scope, code)
            if allowed:
                expected = {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}
                if request_scope == "no scope" and not name.startswith("BatchStore"):
                    expected = {grpc.StatusCode.INVALID_ARGUMENT}
                assert code in expected, (grant, request_scope)
