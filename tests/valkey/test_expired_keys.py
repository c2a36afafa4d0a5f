"""Expired memories that the engine has not removed yet neither count towards k nor hide other memories."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded import EmbeddedValkey
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.errors import CommandRefused
from memory_service.valkey.url import parse_url
from tests.support.api import TIMEOUT, Stub, filter_for_user, list_all, packed_embedding, search, stub_for

pytestmark = [pytest.mark.both_layouts, pytest.mark.slow]

VECTOR, TEXT, HYBRID = pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_TEXT, pb.SEARCH_MODE_HYBRID
EXPIRED, LIVE = 150, 250


@pytest.fixture(scope="module")
async def lazy_engine(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Stub, Connections, str]]:
    """A stub of a server whose engine keeps expired keys until they are read, the engine, and the index."""
    valkey, url = None, settings.valkey_url
    if "127.0.0.1" in str(url and url.get_secret_value()):
        valkey = EmbeddedValkey(tmp_path_factory.mktemp("keeping"), appendfsync="no", debug_commands=True)
        await valkey.start()
        url = SecretStr(valkey.url)
    assert url is not None
    engine = Connections(parse_url(url.get_secret_value(), connections=1))
    await engine.open()
    try:
        await engine.run(["DEBUG", "SET-ACTIVE-EXPIRE", "0"])
    except CommandRefused:
        pytest.skip("this engine does not allow DEBUG")
    here = settings.model_copy(update={"valkey_url": url, "expiry_sweep_every": 60.0})
    try:
        async with run_server(here) as server, grpc.aio.insecure_channel(server.address) as channel:
            stub = stub_for(channel)
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            yield stub, engine, here.index
    finally:
        await engine.run(["DEBUG", "SET-ACTIVE-EXPIRE", "1"])
        await engine.close()
        if valkey is not None:
            await valkey.stop()


async def fill(stub: Stub, user: str, expired: int, live: int) -> None:
    """Store memories that have expired when this returns, nearer and older than those that remain."""
    for number in range(0, expired + live, 50):
        items = []
        for place in range(number, min(number + 50, expired + live)):
            item = pb.StoreRequest(
                user_id=user,
                session_id="s",
                role=memory_pb2.ROLE_USER,
                content=f"word {place}",
                embedding=packed_embedding(1.0),
            )
            item.timestamp.FromSeconds(1_700_000_000 + place)
            if place < expired:
                item.ttl.CopyFrom(Duration(nanos=300_000_000))
            else:
                item.embedding = packed_embedding(1.0, 1.0)
            items.append(item)
        answer = await stub.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
        assert all(one.HasField("stored") for one in answer.results)
    await asyncio.sleep(0.4)


async def test_list_and_count_skip_expired_keys(lazy_engine: tuple[Stub, Connections, str], user: str) -> None:
    stub, _, _ = lazy_engine
    await fill(stub, user, EXPIRED, LIVE)
    for order in (pb.LIST_ORDER_OLDEST_FIRST, pb.LIST_ORDER_NEWEST_FIRST):
        found = await list_all(stub, filter_for_user(user), page_size=60, order=order)
        assert len(found) == LIVE
    counted = await stub.DeleteMatching(
        pb.DeleteMatchingRequest(filter=filter_for_user(user), dry_run=True), timeout=TIMEOUT
    )
    assert counted.count == LIVE
    deleted = await stub.DeleteMatching(pb.DeleteMatchingRequest(filter=filter_for_user(user)), timeout=TIMEOUT)
    assert deleted.count == LIVE
    assert await list_all(stub, filter_for_user(user)) == []


@pytest.mark.parametrize("mode", [VECTOR, TEXT, HYBRID])
@pytest.mark.parametrize("everyone", [False, True])
async def test_search_returns_k_unexpired_hits(
    lazy_engine: tuple[Stub, Connections, str], user: str, mode: pb.SearchMode, everyone: bool
) -> None:
    stub, _, _ = lazy_engine
    await fill(stub, user, 60, 40)
    where = memory_pb2.MemoryFilter(all_users=True) if everyone else filter_for_user(user)
    request = pb.SearchRequest(mode=mode, filter=where, k=5)
    if mode != TEXT:
        request.query_embedding = packed_embedding(1.0)
    if mode != VECTOR:
        request.query_text = "word"
    hits, summary = await search(stub, request)
    assert len(hits) == 5
    assert summary.candidate_count >= 5
    await stub.DeleteMatching(pb.DeleteMatchingRequest(filter=filter_for_user(user)), timeout=TIMEOUT)


@pytest.mark.parametrize("mode", [VECTOR, TEXT, HYBRID])
async def test_search_finds_nothing_when_all_memories_expired(
    lazy_engine: tuple[Stub, Connections, str], user: str, mode: pb.SearchMode
) -> None:
    stub, _, _ = lazy_engine
    await fill(stub, user, 50, 0)
    embedding, text = b"" if mode == TEXT else packed_embedding(1.0), "" if mode == VECTOR else "word"
    request = pb.SearchRequest(mode=mode, filter=filter_for_user(user), k=5, query_text=text, query_embedding=embedding)
    hits, summary = await search(stub, request)
    assert (len(hits), summary.candidate_count) == (0, 0)


async def test_keys_expired_by_other_software_hide_nothing(
    lazy_engine: tuple[Stub, Connections, str], user: str
) -> None:
    """Their documents have no expiry; only the engine knows it."""
    stub, engine, index = lazy_engine
    await fill(stub, user, 0, 300)
    keys = [key async for lot in engine.scan(f"mem_{index}:*") for key in lot]
    mine = await list_all(stub, filter_for_user(user))
    ends = {f"mem_{index}:{one.id}" for one in mine[:120]}
    await engine.run_all([["PEXPIRE", key, "50"] for key in keys if key.decode() in ends])
    await asyncio.sleep(0.2)
    assert len(await list_all(stub, filter_for_user(user), page_size=50)) == 180
    hits, _ = await search(
        stub, pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user), k=150)
    )
    assert len(hits) == 150
    deleted = await stub.DeleteMatching(pb.DeleteMatchingRequest(filter=filter_for_user(user)), timeout=TIMEOUT)
    assert deleted.count == 180
    assert await list_all(stub, filter_for_user(user)) == []
