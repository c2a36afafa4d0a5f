"""Requests and calls to the service and the engine that many tests make."""

from collections import Counter
from typing import Any, cast

import grpc
import numpy as np
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from memory_service.cli.client import Stub
from memory_service.valkey import Connections

__all__ = [
    "TIMEOUT",
    "Stub",
    "command_counts",
    "delete_keys",
    "filter_for_user",
    "list_all",
    "packed_embedding",
    "search",
    "store_at",
    "store_request",
    "stub_for",
]

TIMEOUT = 30.0


async def delete_keys(connections: Connections, pattern: str) -> None:
    """Delete every key that matches, on all nodes."""
    keys = await connections.run(["KEYS", pattern])
    names = keys if isinstance(keys, list) else [key for part in keys.values() for key in part]
    for key in names:
        await connections.run(["DEL", key])


def stub_for(channel: grpc.aio.Channel) -> Stub:
    """Return the asyncio stub of the service on a channel."""
    return cast("Stub", MemoryServiceStub(channel))


def packed_embedding(*numbers: float, dimension: int = 384) -> bytes:
    """Return the bytes of an embedding that starts with these numbers, followed by zeros."""
    return np.array([*numbers, *[0.0] * (dimension - len(numbers))], "<f4").tobytes()


def filter_for_user(user: str, **conditions: object) -> memory_pb2.MemoryFilter:
    """Return the filter for one user's memories, with further conditions."""
    return memory_pb2.MemoryFilter(user_id=user, **conditions)  # type: ignore[arg-type]


def store_request(
    user: str, content: str, session: str = "s1", role: memory_pb2.Role = memory_pb2.ROLE_USER
) -> pb.StoreRequest:
    """Return a StoreRequest for one message."""
    return pb.StoreRequest(user_id=user, session_id=session, role=role, content=content)


async def search(
    stub: Stub,
    request: pb.SearchRequest,
    *,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - as gRPC calls it
) -> tuple[list[pb.Hit], pb.SearchSummary]:
    """Return all hits of a search and its summary; assert that only the last message has a summary."""
    responses = [response async for response in stub.Search(request, timeout=timeout)]
    assert [response.HasField("summary") for response in responses] == [False] * (len(responses) - 1) + [True]
    return [hit for response in responses for hit in response.hits], responses[-1].summary


async def list_all(stub: Stub, where: memory_pb2.MemoryFilter, **options: Any) -> list[memory_pb2.Memory]:
    """Return all memories that match a filter, from all pages."""
    request = pb.ListRequest(filter=where, **options)
    found: list[memory_pb2.Memory] = []
    while True:
        page = await stub.List(request, timeout=TIMEOUT)
        found += page.memories
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def command_counts(connections: Connections) -> Counter[str]:
    """Return how often each command was called, on all nodes of the engine, by its lower-case name."""
    reply = await connections.run(["INFO", "commandstats"])
    replies = [reply] if isinstance(reply, bytes) else reply.values()
    lines = [line for one in replies for line in bytes(one).decode().lower().splitlines() if ":calls=" in line]
    calls: Counter[str] = Counter()
    for line in lines:
        name, _, rest = line.removeprefix("cmdstat_").partition(":calls=")
        calls[name] += int(rest.split(",")[0])
    return calls


async def store_at(stub: Stub, user: str, times: list[int], session: str = "s", content: str = "c") -> list[str]:
    """Store a memory for each timestamp, in microseconds; return their ids."""
    ids = []
    for start in range(0, len(times), 25):
        items = []
        for time in times[start : start + 25]:
            one = pb.StoreRequest(
                user_id=user,
                session_id=session,
                role=memory_pb2.ROLE_USER,
                content=content,
                embedding=packed_embedding(1.0),
            )
            one.timestamp.FromMicroseconds(time)
            items.append(one)
        response = await stub.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
        ids += [one.stored.id for one in response.results]
    return ids
