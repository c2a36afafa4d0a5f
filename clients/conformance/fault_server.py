# ruff: noqa: N802 - the contract names the methods
"""A server that fails, hangs or streams without end on request, which a real one does not.

The text or id of a request selects the behaviour: see each method.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import Memory
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceServicer, add_MemoryServiceServicer_to_server

from memory_service.domain.errors import (
    Reason,
    ResourceExhausted,
    deadline_exceeded,
    engine_unavailable,
    index_backfilling,
)
from memory_service.rpc.errors import internal, to_status

Context = grpc.aio.ServicerContext[Any, Any]

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
ERRORS = {
    "ENGINE_UNAVAILABLE": engine_unavailable("does not answer"),
    "INDEX_BACKFILLING": index_backfilling("memory_idx"),
    "OVERLOADED": ResourceExhausted(Reason.OVERLOADED, "as many calls as are accepted", retry_after=1.5),
    "DEADLINE_EXCEEDED": deadline_exceeded(),
    "INTERNAL": internal("0192"),
}


class FaultService(MemoryServiceServicer):
    """Counts calls by user, or by index if a request has no user."""

    def __init__(self) -> None:
        self._attempts: dict[str, int] = defaultdict(int)
        self._request_ids: dict[str, set[str]] = defaultdict(set)
        self._cancelled: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def Store(self, request: pb.StoreRequest, context: Context) -> pb.StoreResponse:
        """Fail the first N attempts for "unavailable N". The id reports attempts and request ids."""
        await self._fail_first(request.content, request.user_id, context)
        return self._stored(request)

    async def BatchStore(self, request: pb.BatchStoreRequest, context: Context) -> pb.BatchStoreResponse:
        """Do the same as Store, with the content of the first memory."""
        await self._fail_first(request.memories[0].content, request.memories[0].user_id, context)
        results = [pb.BatchStoreResult(stored=self._stored(one)) for one in request.memories]
        return pb.BatchStoreResponse(results=results)

    async def DropIndex(self, request: pb.DropIndexRequest, context: Context) -> pb.DropIndexResponse:
        """Fail, with the number of the attempt."""
        self._attempts[request.index] += 1
        await context.abort(grpc.StatusCode.UNAVAILABLE, f"attempt {self._attempts[request.index]}")

    async def Search(self, request: pb.SearchRequest, context: Context) -> AsyncIterator[pb.SearchResponse]:
        """Stream as query_text says: "unavailable N", "hits N", "broken after N" or "endless"."""
        user = request.filter.user_id
        match request.query_text.split():
            case ["unavailable", _]:
                await self._fail_first(request.query_text, user, context)
                yield pb.SearchResponse(hits=[_hit(0)])
            case ["hits", count]:
                for start in range(0, int(count), 100):
                    yield pb.SearchResponse(hits=[_hit(number) for number in range(start, start + 100)])
            case ["broken", "after", count]:
                yield pb.SearchResponse(hits=[_hit(number) for number in range(int(count))])
                await context.abort_with_status(to_status(ERRORS["INTERNAL"]))
            case ["endless"]:
                try:
                    while True:
                        yield pb.SearchResponse(hits=[_hit(0)])
                        await asyncio.sleep(0.01)
                finally:
                    self._cancelled[user].set()
        yield pb.SearchResponse(summary=pb.SearchSummary(hit_count=1))

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        """Answer as the id says.

        It is the reason of an error, "token", "seconds left", "sleep", or "cancelled", which waits until an endless
        Search of this user is cancelled. The content of the memory is the answer.
        """
        match request.id:
            case reason if reason in ERRORS:
                await context.abort_with_status(to_status(ERRORS[reason]))
            case "token":
                return _answer(str(dict(context.invocation_metadata() or ()).get("authorization", "none")))
            case "seconds left":
                return _answer(str(round(context.time_remaining() or 0)))
            case "cancelled":
                async with asyncio.timeout(10):
                    await self._cancelled[request.user_id].wait()
        await asyncio.sleep(60 if request.id == "sleep" else 0)
        return _answer(request.id)

    async def _fail_first(self, behaviour: str, user: str, context: Context) -> None:
        self._attempts[user] += 1
        if self._attempts[user] <= int(behaviour.removeprefix("unavailable ")):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")

    def _stored(self, request: pb.StoreRequest) -> pb.StoreResponse:
        user = request.user_id
        self._request_ids[user].add(request.request_id)
        return pb.StoreResponse(id=f"{self._attempts[user]} attempts, {len(self._request_ids[user])} request ids")


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it ships no types
    """Reports one status for every service; for the service "changing" one status after the other."""

    def __init__(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        self._status = status

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, _: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Stream the statuses, then keep the stream open."""
        for status in [SERVING, NOT_SERVING, SERVING] if request.service == "changing" else [self._status]:
            yield health_pb2.HealthCheckResponse(status=status)
        await asyncio.Event().wait()


async def start(*, healthy: bool) -> tuple[grpc.aio.Server, str]:
    """Start a server. Returns it and its address."""
    server = grpc.aio.server()
    add_MemoryServiceServicer_to_server(cast("Any", FaultService)(), server)
    health_pb2_grpc.add_HealthServicer_to_server(Health(SERVING if healthy else NOT_SERVING), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


def _hit(number: int) -> pb.Hit:
    return pb.Hit(memory=Memory(id=str(number), content="x" * 500), score=1)


def _answer(content: str) -> pb.GetResponse:
    return pb.GetResponse(memory=Memory(content=content))
