"""An engine that answers, but not with what was asked for: no memory left, a replica, a failover."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.call_table import READS, WRITES, answers_again, ensured, refused, service, store
from tests.faults.engine_process import PRODUCTION, Engine
from tests.faults.load import NONE, load, toll_of
from tests.support.api import TIMEOUT
from tests.support.server_process import channel_to, serving


async def test_an_engine_without_memory_refuses_writes_and_says_so(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine, service(MEMORY_VALKEY_URL=engine.url) as memories:
        await READS["List"](memories)  # The first page ever writes the key that seals page tokens.
        await engine.run("CONFIG", "SET", "maxmemory", "1")
        assert "no memory left" in await refused(memories, WRITES["Store"])
        batch = await memories.BatchStore(pb.BatchStoreRequest(memories=[store("new")]), timeout=TIMEOUT)
        assert batch.results[0].error.code == grpc.StatusCode.UNAVAILABLE.value[0]
        # valkey-search takes no search either; what is known by its id can be read and deleted on any engine.
        for name in ("VECTOR", "TEXT", "HYBRID", "List"):
            await (refused(memories, READS[name]) if PRODUCTION else READS[name](memories))
        await READS["Get"](memories)
        await memories.Delete(pb.DeleteRequest(user_id="alice", ids=["there"]), timeout=TIMEOUT)
        await engine.run("CONFIG", "SET", "maxmemory", "0")
        await WRITES["Store"](memories)


async def test_a_primary_that_has_become_a_replica_answers_nothing_any_more(tmp_path: Path) -> None:
    async with (
        Engine(tmp_path / "one") as one,
        Engine(tmp_path / "other") as other,
        service(MEMORY_VALKEY_URL=one.url) as memories,
    ):
        await one.run("REPLICAOF", "127.0.0.1", str(other.port))
        # Its memories are being replaced by the other's: to answer from it would be a lie. A write would notice; here
        # it is the probe of readiness, which asks every second.
        await asyncio.sleep(2.5)
        for call in (*READS.values(), *WRITES.values()):
            await refused(memories, call)


async def test_a_planned_failover_loses_nothing_and_clients_need_only_repeat(tmp_path: Path) -> None:
    async with replicated(tmp_path) as (primary, replica, url):
        with serving(MEMORY_VALKEY_URL=url) as served:
            async with channel_to(served.address) as channel:
                await ensured(channel)
                async with load(channel) as clients:
                    await asyncio.sleep(1.0)
                    assert await primary.run("FAILOVER", "TO", "127.0.0.1", str(replica.port)) == b"+OK"
                    await asyncio.sleep(3.0)
                assert b"role:master" in await replica.run("INFO", "replication")
                assert await toll_of(clients) == NONE


async def test_when_the_primary_dies_the_promoted_replica_is_found(tmp_path: Path) -> None:
    async with replicated(tmp_path) as (primary, replica, url), service(MEMORY_VALKEY_URL=url) as memories:
        await primary.kill()
        await refused(memories, WRITES["Store"])
        await replica.run("REPLICAOF", "NO", "ONE")
        await answers_again(memories, WRITES["Store"], within=15.0)
        await answers_again(memories, READS["VECTOR"], within=15.0)


@asynccontextmanager
async def replicated(directory: Path) -> AsyncIterator[tuple[Engine, Engine, str]]:
    """A primary, its replica and the URL of both."""
    async with Engine(directory / "primary") as primary, Engine(directory / "replica") as replica:
        await replica.run("REPLICAOF", "127.0.0.1", str(primary.port))
        async with asyncio.timeout(20):
            while b"master_link_status:up" not in await replica.run("INFO", "replication"):
                await asyncio.sleep(0.05)
        yield primary, replica, f"{primary.url},127.0.0.1:{replica.port}"
