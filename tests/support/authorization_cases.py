"""Every method of the contract with the right that it needs, and keys with some of these rights."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.credentials import api_key

ALICE = memory_pb2.MemoryFilter(user_id="alice")
BOB = memory_pb2.MemoryFilter(user_id="bob")
EVERYONE = memory_pb2.MemoryFilter(all_users=True)

KEYS = {
    "backend": api_key("backend", None, "read", "write", "delete", "admin"),
    "alice": api_key("alice", ["alice"], "read", "write", "delete"),
    "reader": api_key("reader", ["alice"], "read"),
    "writer": api_key("writer", ["alice"], "write"),
}


async def drain(stream: Any) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


def store(user: str, **more: Any) -> pb.StoreRequest:
    return pb.StoreRequest(
        user_id=user, role=memory_pb2.ROLE_USER, content="secret", embedding=packed_embedding(1.0), id="a", **more
    )


def where(user: str | None) -> memory_pb2.MemoryFilter:
    return memory_pb2.MemoryFilter(user_id=user or "", all_users=user is None)


CALLS: dict[str, tuple[str, Callable[[Stub, str | None], Awaitable[Any]]]] = {
    "Store": ("write", lambda m, user: m.Store(store(user or "anyone"), timeout=TIMEOUT)),
    "Store, with near duplicates": (
        "read and write",
        lambda m, user: m.Store(store(user or "anyone", near_duplicate_min_score=0.5), timeout=TIMEOUT),
    ),
    "BatchStore": (
        "write",
        lambda m, user: m.BatchStore(
            pb.BatchStoreRequest(memories=[store("alice"), store(user or "anyone")]), timeout=TIMEOUT
        ),
    ),
    "Search": (
        "read",
        lambda m, user: drain(
            m.Search(pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=where(user)), timeout=TIMEOUT)
        ),
    ),
    "List": ("read", lambda m, user: m.List(pb.ListRequest(filter=where(user), page_size=1), timeout=TIMEOUT)),
    "Get": (
        "read",
        lambda m, user: m.Get(pb.GetRequest(user_id=user or "", all_users=user is None, id="none"), timeout=TIMEOUT),
    ),
    "Delete": (
        "delete",
        lambda m, user: m.Delete(
            pb.DeleteRequest(user_id=user or "", all_users=user is None, ids=["none"]), timeout=TIMEOUT
        ),
    ),
    "DeleteMatching": (
        "delete",
        lambda m, user: m.DeleteMatching(
            pb.DeleteMatchingRequest(
                filter=memory_pb2.MemoryFilter(user_id=user or "", all_users=user is None, session_ids=["none"])
            ),
            timeout=TIMEOUT,
        ),
    ),
    "GetIndex": ("read everyone", lambda m, _: m.GetIndex(pb.GetIndexRequest(), timeout=TIMEOUT)),
    "ListIndexes": ("read everyone", lambda m, _: m.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)),
    "EnsureIndex": ("admin", lambda m, _: m.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)),
    "DropIndex": ("admin", lambda m, _: m.DropIndex(pb.DropIndexRequest(index="test_none"), timeout=TIMEOUT)),
}


async def status_of(call: Awaitable[Any]) -> grpc.StatusCode:
    """Return the status code of a call."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
