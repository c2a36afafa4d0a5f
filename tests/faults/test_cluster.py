"""A cluster with one shard down. valkey-search itself then omits the results of that shard without saying so."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded.process import free_port
from tests.faults.call_table import (
    CALLS,
    DEADLINE,
    SEARCHES,
    Call,
    assert_unavailable,
    search_results,
    service_stub,
    store,
)
from tests.faults.engine_process import PRODUCTION_ENGINE, EngineProcess
from tests.faults.load import retry_delay
from tests.support.api import TIMEOUT, Stub

pytestmark = pytest.mark.skipif(
    not PRODUCTION_ENGINE, reason="the embedded engine has no clusters: MEMORY_TEST_VALKEY_SERVER"
)

OUTAGE = 40.0
"""Seconds of an outage, longer than the service caches the state of an index."""

SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))
OPTIONS = ("cluster-enabled yes", "cluster-node-timeout 2000", "cluster-require-full-coverage no")


@asynccontextmanager
async def cluster(directory: Path) -> AsyncIterator[list[EngineProcess]]:
    """Run three primaries without replicas."""
    async with AsyncExitStack() as stack:
        shards = []
        for number, (first, last) in enumerate(SLOTS):
            while (port := free_port()) > 45_000:  # The search module listens on this port plus 20,294.
                pass
            one = EngineProcess(directory / str(number), *OPTIONS, search_arguments="--use-coordinator", port=port)
            shards.append(await stack.enter_async_context(one))
            await one.run("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            await one.run("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for one in shards[1:]:
            await one.run("CLUSTER", "MEET", "127.0.0.1", str(shards[0].port))
        async with asyncio.timeout(30):
            for one in shards:
                while b"cluster_state:ok" not in (info := await one.run("CLUSTER", "INFO")) or (
                    b"cluster_known_nodes:3" not in info
                ):
                    await asyncio.sleep(0.05)
        yield shards


@pytest.fixture
async def shards(tmp_path: Path) -> AsyncIterator[list[EngineProcess]]:
    async with cluster(tmp_path) as shards:
        yield shards


@pytest.fixture
async def stub(shards: list[EngineProcess]) -> AsyncIterator[Stub]:
    """A client of a service with 31 memories of alice, on all shards."""
    # All addresses, as in production: a service that knew only the shard that is shard could find no other.
    hosts = ",".join(f"127.0.0.1:{one.port}" for one in shards)
    async with service_stub(MEMORY_VALKEY_URL=f"valkey://{hosts}/?cluster=true") as stub:
        await asyncio.gather(*(stub.Store(store(f"m{number}"), timeout=TIMEOUT) for number in range(30)))
        for request in SEARCHES.values():
            found, summary = await search_results(stub, all_hits(request), TIMEOUT)
            assert len(found) == 31
            assert not summary.degraded
        yield stub


@pytest.mark.parametrize("shard", range(3))
async def test_a_cluster_without_a_shard_gives_partial_results_only_where_allowed(
    shards: list[EngineProcess], stub: Stub, shard: int
) -> None:
    await shards[shard].kill()
    for request in SEARCHES.values():
        await assert_unavailable(stub, searching(all_hits(request)))
        found, summary = await search_results(stub, all_hits(request, consistency=pb.CONSISTENCY_PARTIAL), DEADLINE)
        assert 0 < len(found) < 31
        assert summary.degraded
    for name in ("List", "DeleteMatching", "GetIndex"):
        await assert_unavailable(stub, CALLS[name])


@pytest.mark.xfail(reason="GLIDE's clients block for seconds while they look for the missing node")
async def test_every_partial_search_is_answered_while_a_shard_is_down(shards: list[EngineProcess], stub: Stub) -> None:
    await shards[0].kill()
    end = time.monotonic() + OUTAGE
    partial = all_hits(SEARCHES["HYBRID"], consistency=pb.CONSISTENCY_PARTIAL)
    while time.monotonic() < end:
        found, summary = await search_results(stub, partial, DEADLINE)
        assert 0 < len(found) < 31
        assert summary.degraded
        await asyncio.sleep(1.0)


async def test_partial_searches_are_degraded_or_unavailable_while_a_shard_is_down(
    shards: list[EngineProcess], stub: Stub
) -> None:
    await shards[0].kill()
    end = time.monotonic() + OUTAGE
    partial = all_hits(SEARCHES["HYBRID"], consistency=pb.CONSISTENCY_PARTIAL)
    given = 0
    while time.monotonic() < end:
        try:
            found, summary = await search_results(stub, partial, DEADLINE)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE, error
            assert retry_delay(error)
        else:
            assert 0 < len(found) < 31
            assert summary.degraded
            given += 1
        await asyncio.sleep(1.0)
    assert given


def all_hits(request: pb.SearchRequest, **options: Any) -> pb.SearchRequest:
    """Return the same search with a k above the number of memories."""
    changed = pb.SearchRequest(k=100, **options)
    changed.MergeFrom(request)
    return changed


def searching(request: pb.SearchRequest) -> Call:
    """Return the call that makes this search."""
    return lambda stub: search_results(stub, request, DEADLINE)
