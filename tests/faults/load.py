"""Clients that store, search and delete without a pause, repeat what failed, and remember what they were told."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, list_all, stub_for

SCALE = float(os.environ.get("MEMORY_FAULTS_SCALE", "1"))
"""How much longer and larger than in CI the tests are; `make faults` sets it."""

PATIENCE = 120.0
"""Seconds after which a client that still fails is a failure of the test."""

_Answer = TypeVar("_Answer")

_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True)
class WriteAudit:
    """What became of the writes that were acknowledged."""

    lost: int
    duplicated: int
    risen: int
    """Memories that were deleted and are there all the same."""


NO_LOSS = WriteAudit(lost=0, duplicated=0, risen=0)


@dataclass
class LoadClient:
    """One client with a user of its own, so that it knows exactly what must be there."""

    memories: Stub
    user: str
    deadline: float = 2.0
    pause: float = 0.0
    stored: dict[str, bytes] = field(default_factory=dict)
    """Ids of memories that are to be there, with their embeddings."""
    deleted: set[str] = field(default_factory=set)
    failures: list[grpc.aio.AioRpcError] = field(default_factory=list)
    """Calls that failed and were repeated."""
    seconds: list[float] = field(default_factory=list)
    """How long each call took that did not fail."""
    answered: float = 0.0
    """When the last call was answered, by time.monotonic."""

    async def run(self, until: asyncio.Event) -> None:
        """Work until told to end."""
        rng = np.random.default_rng(len(self.user))
        number = 0
        while not until.is_set():
            number += 1
            id_, embedding = f"m{number}", rng.normal(size=384).astype("<f4").tobytes()
            at_once = await self._store(id_, embedding)
            # An attempt without an answer can still reach the engine, after a Delete even: then it is no longer known
            # what must be there. So only what was stored at the first attempt is deleted.
            if at_once and number % 4 == 0:
                await self._delete(id_)
            else:
                self.stored[id_] = embedding
            if number % 3 == 0 and self.stored:
                await self._search(next(reversed(self.stored)))
            await asyncio.sleep(self.pause)

    async def toll(self) -> WriteAudit:
        """What is there, by List and Search alike, against what must be."""
        where = memory_pb2.MemoryFilter(user_id=self.user)
        # An engine that has just restarted may still be indexing, and List says so.
        memories = await self._repeated(lambda: list_all(self.memories, where, page_size=1000))
        there = Counter(one.content for one in memories)
        found = [await self._found(id_, TIMEOUT) for id_ in self.stored]
        return WriteAudit(
            lost=len(self.stored.keys() - there.keys()) + found.count(False),
            duplicated=sum(count - 1 for count in there.values()),
            risen=len(self.deleted & there.keys()),
        )

    async def _store(self, id_: str, embedding: bytes) -> bool:
        """Whether it was stored at the first attempt."""
        request = pb.StoreRequest(
            user_id=self.user, role=memory_pb2.ROLE_USER, id=id_, content=id_, embedding=embedding
        )
        before = len(self.failures)
        await self._repeated(lambda: self.memories.Store(request, timeout=self.deadline))
        return len(self.failures) == before

    async def _delete(self, id_: str) -> None:
        request = pb.DeleteRequest(user_id=self.user, ids=[id_])
        before = len(self.failures)
        answer = await self._repeated(lambda: self.memories.Delete(request, timeout=self.deadline))
        # After a failure an earlier attempt may have deleted it.
        assert list(answer.deleted_ids) == [id_] or len(self.failures) > before
        self.deleted.add(id_)

    async def _search(self, id_: str) -> None:
        """Look for a memory that was acknowledged: an answer that does not have it is a lie."""
        assert await self._repeated(lambda: self._found(id_, self.deadline))

    async def _found(self, id_: str, deadline: float) -> bool:
        where = memory_pb2.MemoryFilter(user_id=self.user)
        request = pb.SearchRequest(query_embedding=self.stored[id_], k=1, filter=where)
        chunks = [chunk async for chunk in self.memories.Search(request, timeout=deadline)]
        assert chunks[-1].HasField("summary")
        return chunks[-1].summary.degraded or [hit.memory.id for chunk in chunks for hit in chunk.hits] == [id_]

    async def _repeated(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The answer of a call, repeated with the same ids until there is one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                started = time.monotonic()
                try:
                    answer = await call()
                except grpc.aio.AioRpcError as error:
                    assert error.code() in _TRANSIENT, error
                    self.failures.append(error)
                    await asyncio.sleep(0.02)
                else:
                    self.answered = time.monotonic()
                    self.seconds.append(self.answered - started)
                    return answer


def retry_delay(error: grpc.aio.AioRpcError) -> float | None:
    """The seconds of an error's google.rpc.RetryInfo."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToMilliseconds()) / 1000
    return None


def ended_by_grpc(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether gRPC ended the call at its deadline, before the service had answered."""
    return error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and rpc_status.from_call(error) is None


@asynccontextmanager
async def load(
    channel: grpc.aio.Channel,
    clients: int = 6,
    *,
    more: Sequence[grpc.aio.Channel] = (),
    pause: float = 0.0,
    deadline: float = 2.0,
) -> AsyncIterator[list[LoadClient]]:
    """Clients at work while the context is open, each until its last call was answered; in turn on `more` channels, if
    there are any. With a long deadline no call fails because the machine is busy."""
    stubs = [stub_for(one) for one in (channel, *more)]
    until = asyncio.Event()
    working = [
        LoadClient(stubs[n % len(stubs)], f"client_{n}" + "x" * n, deadline=deadline, pause=pause)
        for n in range(clients)
    ]
    async with asyncio.TaskGroup() as group:
        for one in working:
            group.create_task(one.run(until))
        try:
            yield working
        finally:
            until.set()


async def audit_writes(clients: list[LoadClient]) -> WriteAudit:
    """What became of the writes of all clients."""
    tolls = [await one.toll() for one in clients]
    return WriteAudit(*(sum(getattr(one, name) for one in tolls) for name in ("lost", "duplicated", "risen")))
