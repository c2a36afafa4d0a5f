"""Clients that store, search and delete continuously, retry failed calls, and record what was acknowledged."""

import asyncio
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
from tests.support.scale import SCALE

PAUSE = 0.0 if SCALE > 1 else 0.02
"""Seconds between two rounds of a client. In CI, thousands of writes would take longer to audit than to interrupt."""

RETRY_LIMIT = 120.0
"""Seconds after which a client that still fails makes the test fail."""

_Answer = TypeVar("_Answer")

_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True)
class WriteAudit:
    """Acknowledged writes that do not match what the service returns at the end."""

    lost: int
    duplicated: int
    undeleted: int
    """Memories that were deleted and are still returned."""


NO_LOSS = WriteAudit(lost=0, duplicated=0, undeleted=0)


@dataclass
class LoadClient:
    """One client with a user of its own, so that it knows exactly which memories must exist."""

    stub: Stub
    user: str
    deadline: float = 2.0
    pause: float = 0.0
    stored: dict[str, bytes] = field(default_factory=dict)
    """Ids of memories that must exist, with their embeddings."""
    deleted: set[str] = field(default_factory=set)
    failures: list[grpc.aio.AioRpcError] = field(default_factory=list)
    """Errors of calls that failed and were retried."""
    seconds: list[float] = field(default_factory=list)
    """Duration of each successful call."""
    last_answer_at: float = 0.0
    """Time of the last successful call, by time.monotonic."""

    async def run(self, until: asyncio.Event) -> None:
        """Store, search and delete until the event is set."""
        rng = np.random.default_rng(len(self.user))
        number = 0
        while not until.is_set():
            number += 1
            id_, embedding = f"m{number}", rng.normal(size=384).astype("<f4").tobytes()
            first_attempt = await self._store(id_, embedding)
            # An attempt without a response can still reach the engine, even after a Delete. So only memories that were
            # stored at the first attempt are deleted.
            if first_attempt and number % 4 == 0:
                await self._delete(id_)
            else:
                self.stored[id_] = embedding
            if number % 3 == 0 and self.stored:
                await self._search(next(reversed(self.stored)))
            await asyncio.sleep(self.pause)

    async def audit(self) -> WriteAudit:
        """Compare the results of List and Search with what was acknowledged."""
        where = memory_pb2.MemoryFilter(user_id=self.user)
        # An engine that has just restarted may still be indexing, and List says so.
        memories = await self._retry(lambda: list_all(self.stub, where, page_size=1000))
        there = Counter(one.content for one in memories)
        found = [await self._finds(id_, TIMEOUT) for id_ in self.stored]
        return WriteAudit(
            lost=len(self.stored.keys() - there.keys()) + found.count(False),
            duplicated=sum(count - 1 for count in there.values()),
            undeleted=len(self.deleted & there.keys()),
        )

    async def _store(self, id_: str, embedding: bytes) -> bool:
        """Store a memory; return whether the first attempt succeeded."""
        request = pb.StoreRequest(
            user_id=self.user, role=memory_pb2.ROLE_USER, id=id_, content=id_, embedding=embedding
        )
        before = len(self.failures)
        await self._retry(lambda: self.stub.Store(request, timeout=self.deadline))
        return len(self.failures) == before

    async def _delete(self, id_: str) -> None:
        request = pb.DeleteRequest(user_id=self.user, ids=[id_])
        before = len(self.failures)
        answer = await self._retry(lambda: self.stub.Delete(request, timeout=self.deadline))
        # After a failure, an earlier attempt may have deleted it.
        assert list(answer.deleted_ids) == [id_] or len(self.failures) > before
        self.deleted.add(id_)

    async def _search(self, id_: str) -> None:
        """Search for an acknowledged memory; fail if the result does not contain it."""
        assert await self._retry(lambda: self._finds(id_, self.deadline))

    async def _finds(self, id_: str, deadline: float) -> bool:
        where = memory_pb2.MemoryFilter(user_id=self.user)
        request = pb.SearchRequest(query_embedding=self.stored[id_], k=1, filter=where)
        chunks = [chunk async for chunk in self.stub.Search(request, timeout=deadline)]
        assert chunks[-1].HasField("summary")
        return chunks[-1].summary.degraded or [hit.memory.id for chunk in chunks for hit in chunk.hits] == [id_]

    async def _retry(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Repeat a call with the same ids until it succeeds; return its response."""
        async with asyncio.timeout(RETRY_LIMIT):
            while True:
                started = time.monotonic()
                try:
                    answer = await call()
                except grpc.aio.AioRpcError as error:
                    assert error.code() in _TRANSIENT, error
                    self.failures.append(error)
                    await asyncio.sleep(0.02)
                else:
                    self.last_answer_at = time.monotonic()
                    self.seconds.append(self.last_answer_at - started)
                    return answer


def retry_delay(error: grpc.aio.AioRpcError) -> float | None:
    """Return the seconds of an error's google.rpc.RetryInfo, or None."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToMilliseconds()) / 1000
    return None


def ended_by_grpc(error: grpc.aio.AioRpcError) -> bool:
    """Return whether gRPC itself ended the call at its deadline, before the service responded."""
    return error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and rpc_status.from_call(error) is None


@asynccontextmanager
async def load(
    channel: grpc.aio.Channel,
    clients: int = 6,
    *,
    more: Sequence[grpc.aio.Channel] = (),
    pause: float = PAUSE,
    deadline: float = 2.0,
) -> AsyncIterator[list[LoadClient]]:
    """Run clients while the context is open, and let each finish its last call. They are spread over `channel` and
    `more`. With a long deadline, no call fails because the machine is busy."""
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
    """Audit the writes of all clients."""
    audits = [await one.audit() for one in clients]
    return WriteAudit(*(sum(getattr(one, name) for one in audits) for name in ("lost", "duplicated", "undeleted")))
