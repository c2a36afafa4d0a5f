"""A Store that is interrupted at any point leaves no memory without its ttl."""

import asyncio
import random
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.ids import derived_id
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, filter_for_user, list_all, packed_embedding, search, stub_for

pytestmark = [pytest.mark.both_layouts, pytest.mark.slow]


@pytest.fixture
async def sweeping_stub(settings: Settings) -> AsyncIterator[Stub]:
    """A stub of a server that looks for expired memories all the time; other servers do so rarely."""
    here = settings.model_copy(update={"expiry_sweep_every": 0.1})
    async with run_server(here) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield stub_for(channel)


def request_with_ttl(user: str, id_: str, seconds: float) -> pb.StoreRequest:
    ttl = Duration()
    ttl.FromMicroseconds(int(seconds * 1e6))
    return pb.StoreRequest(
        user_id=user,
        session_id="s",
        role=memory_pb2.ROLE_USER,
        content="c",
        id=id_,
        embedding=packed_embedding(1.0),
        ttl=ttl,
    )


async def remaining_ids(engine: Connections, settings: Settings, user: str, ids: list[str]) -> list[str]:
    """Return the ids whose keys exist."""
    keys = [f"mem_{settings.index}:{derived_id('id', user, id_)}" for id_ in ids]
    found = await engine.run_all([["PTTL", key] for key in keys])
    return [id_ for id_, ttl in zip(ids, found, strict=True) if ttl != -2]


async def all_removed(engine: Connections, settings: Settings, user: str, ids: list[str]) -> bool:
    """Wait until none of the keys exists; return False after 10 seconds."""
    for _ in range(200):
        if not await remaining_ids(engine, settings, user, ids):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_store_that_timed_out_while_the_engine_was_paused_keeps_its_ttl(
    stub: Stub, user: str, engine: Connections, settings: Settings
) -> None:
    await stub.Store(request_with_ttl(user, "warm", 60), timeout=TIMEOUT)
    await engine.run(["CLIENT", "PAUSE", "800", "WRITE"])
    ids = [f"z{number}" for number in range(3)]
    for id_ in ids:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Store(request_with_ttl(user, id_, 60), timeout=0.1)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.sleep(1.2)
    keys = [f"mem_{settings.index}:{derived_id('id', user, id_)}" for id_ in ids]
    assert all(ttl != -1 for ttl in await engine.run_all([["PTTL", key] for key in keys]))


async def test_interrupted_stores_leave_no_memory_without_its_ttl(
    stub: Stub, sweeping_stub: Stub, user: str, engine: Connections, settings: Settings
) -> None:
    random_ = random.Random(7)
    acknowledged: set[str] = set()

    async def store(id_: str) -> None:
        call = stub.Store(request_with_ttl(user, id_, 2.0), timeout=random_.choice([0.002, 0.005, 0.01, TIMEOUT]))
        if random_.random() < 0.4:
            await asyncio.sleep(random_.random() * 0.02)
            call.cancel()
        try:
            await call
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            return
        acknowledged.add(id_)

    ids = [f"i{number}" for number in range(300)]
    for start in range(0, 300, 30):
        await asyncio.gather(*(store(id_) for id_ in ids[start : start + 30]))
    assert acknowledged
    assert len(acknowledged) < len(ids)
    await asyncio.sleep(2.1)
    assert await list_all(sweeping_stub, filter_for_user(user)) == []
    assert await all_removed(engine, settings, user, ids)


async def test_expired_memories_without_an_engine_ttl_are_removed(
    sweeping_stub: Stub, user: str, engine: Connections, settings: Settings
) -> None:
    ids = [f"i{number}" for number in range(20)]
    for id_ in ids:
        await sweeping_stub.Store(request_with_ttl(user, id_, 0.5), timeout=TIMEOUT)
        await engine.run(["PERSIST", f"mem_{settings.index}:{derived_id('id', user, id_)}"])
    await sweeping_stub.Store(request_with_ttl(user, "lives", 60), timeout=TIMEOUT)
    await sweeping_stub.Store(pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content="c", id="no end"))
    assert await all_removed(engine, settings, user, ids)
    assert {one.id for one in await list_all(sweeping_stub, filter_for_user(user))} == {"lives", "no end"}


async def test_expired_memories_without_an_engine_ttl_do_not_count_towards_k(
    stub: Stub, user: str, engine: Connections, settings: Settings
) -> None:
    for number in range(20):
        await stub.Store(request_with_ttl(user, f"i{number}", 0.3), timeout=TIMEOUT)
        await engine.run(["PERSIST", f"mem_{settings.index}:{derived_id('id', user, f'i{number}')}"])
    live = pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content="c", embedding=packed_embedding(1.0, 1.0))
    stored = await stub.Store(live, timeout=TIMEOUT)
    await asyncio.sleep(0.4)
    for mode, text in ((pb.SEARCH_MODE_VECTOR, ""), (pb.SEARCH_MODE_HYBRID, "c")):
        request = pb.SearchRequest(
            query_embedding=packed_embedding(1.0), query_text=text, mode=mode, filter=filter_for_user(user), k=3
        )
        hits, summary = await search(stub, request)
        assert [hit.memory.id for hit in hits] == [stored.id]
        assert summary.candidate_count == 1
