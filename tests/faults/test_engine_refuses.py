"""An engine that replies with errors: out of memory, a replica, a failover."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.call_table import (
    READS,
    WRITES,
    assert_unavailable,
    service_stub,
    store,
    stub_with_index,
    wait_for_answer,
)
from tests.faults.engine_process import PRODUCTION_ENGINE, EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, load
from tests.support.api import TIMEOUT
from tests.support.server_process import channel_to, run_server_process


async def test_an_engine_out_of_memory_refuses_writes_with_the_reason(tmp_path: Path) -> None:
    async with EngineProcess(tmp_path) as engine, service_stub(MEMORY_VALKEY_URL=engine.url) as stub:
        await READS["List"](stub)  # The first page writes the key that encrypts page tokens.
        await engine.run("CONFIG", "SET", "maxmemory", "1")
        assert "no memory left" in await assert_unavailable(stub, WRITES["Store"])
        batch = await stub.BatchStore(pb.BatchStoreRequest(memories=[store("new")]), timeout=TIMEOUT)
        assert batch.results[0].error.code == grpc.StatusCode.UNAVAILABLE.value[0]
        # valkey-search refuses searches as well; Get and Delete by id work on any engine.
        for name in ("VECTOR", "TEXT", "HYBRID", "List"):
            await (assert_unavailable(stub, READS[name]) if PRODUCTION_ENGINE else READS[name](stub))
        await READS["Get"](stub)
        await stub.Delete(pb.DeleteRequest(user_id="alice", ids=["there"]), timeout=TIMEOUT)
        await engine.run("CONFIG", "SET", "maxmemory", "0")
        await WRITES["Store"](stub)


async def test_a_primary_that_became_a_replica_answers_no_call(tmp_path: Path) -> None:
    async with (
        EngineProcess(tmp_path / "one") as one,
        EngineProcess(tmp_path / "other") as other,
        service_stub(MEMORY_VALKEY_URL=one.url) as stub,
    ):
        await one.run("REPLICAOF", "127.0.0.1", str(other.port))
        # The replica's memories are being replaced, so results from it would be wrong. Without a write, the readiness
        # probe notices the new role; it runs every second.
        await asyncio.sleep(2.5)
        for call in (*READS.values(), *WRITES.values()):
            await assert_unavailable(stub, call)


async def test_a_planned_failover_loses_nothing_and_clients_only_retry(tmp_path: Path) -> None:
    async with primary_and_replica(tmp_path) as (primary, replica, url):
        with run_server_process(MEMORY_VALKEY_URL=url) as server_process:
            async with channel_to(server_process.address) as channel:
                await stub_with_index(channel)
                async with load(channel) as clients:
                    await asyncio.sleep(1.0)
                    assert await primary.run("FAILOVER", "TO", "127.0.0.1", str(replica.port)) == b"+OK"
                    await asyncio.sleep(3.0)
                assert b"role:master" in await replica.run("INFO", "replication")
                assert await audit_writes(clients) == NO_LOSS


async def test_calls_reach_the_promoted_replica_after_the_primary_dies(tmp_path: Path) -> None:
    async with primary_and_replica(tmp_path) as (primary, replica, url), service_stub(MEMORY_VALKEY_URL=url) as stub:
        await primary.kill()
        await assert_unavailable(stub, WRITES["Store"])
        await replica.run("REPLICAOF", "NO", "ONE")
        await wait_for_answer(stub, WRITES["Store"], within=15.0)
        await wait_for_answer(stub, READS["VECTOR"], within=15.0)


@asynccontextmanager
async def primary_and_replica(directory: Path) -> AsyncIterator[tuple[EngineProcess, EngineProcess, str]]:
    """Run a primary and its replica; yield both and the URL of both."""
    async with EngineProcess(directory / "primary") as primary, EngineProcess(directory / "replica") as replica:
        await replica.run("REPLICAOF", "127.0.0.1", str(primary.port))
        async with asyncio.timeout(20):
            while b"master_link_status:up" not in await replica.run("INFO", "replication"):
                await asyncio.sleep(0.05)
        yield primary, replica, f"{primary.url},127.0.0.1:{replica.port}"
