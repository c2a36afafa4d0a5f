"""Metrics of a real server after real calls, as Prometheus scrapes them."""

import asyncio
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.types import Algorithm, IndexInfo
from memory_service.rpc.server import METHODS, SERVICE, RpcServer
from memory_service.settings import Settings
from memory_service.telemetry.index_monitor import IndexMonitor
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, packed_embedding, search, store_request
from tests.support.credentials import error_reason, server_with_auth, stub_with_credential


class Scrape:
    """All samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [one for family in text_string_to_metric_families(text) for one in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with this name and these labels."""
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.samples)

    def values(self, label: str) -> set[str]:
        """Return all values of a label in our own metrics."""
        ours = [one for one in self.samples if one.name.startswith(("grpc_", "semantic_memory_"))]
        return {one.labels[label] for one in ours if label in one.labels}


async def scrape(server: RpcServer) -> Scrape:
    def read() -> str:
        with urllib.request.urlopen(f"http://{server.metrics_address}/metrics", timeout=TIMEOUT) as answer:
            return str(answer.read().decode())

    return Scrape(await asyncio.to_thread(read))


async def wait_for_metric(server: RpcServer, name: str, value: float) -> Scrape:
    """Scrape until a metric has this value; fail after 20 seconds."""
    for _ in range(200):
        metrics = await scrape(server)
        if metrics.has(name) and metrics(name) == value:
            return metrics
        await asyncio.sleep(0.1)
    pytest.fail(f"{name} did not become {value}: {[one for one in metrics.samples if one.name == name]}")


@asynccontextmanager
async def metered_server(settings: Settings, **changes: Any) -> AsyncIterator[tuple[RpcServer, Stub]]:
    """Run a server with metrics and its own index; yield it and a stub."""
    changes = {"index": f"test_{uuid.uuid4().hex[:12]}", "metrics_listen": "127.0.0.1:0", **changes}
    async with server_with_auth(settings, **changes) as server, stub_with_credential(server) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        yield server, stub


async def test_calls_are_counted_by_method_and_code_with_standard_names(settings: Settings) -> None:
    async with metered_server(settings) as (server, stub):
        alice = memory_pb2.MemoryFilter(user_id="alice")
        for n in range(3):
            await stub.Store(store_request("alice", f"the canary sings {n}"), timeout=TIMEOUT)
        hits, _ = await search(stub, pb.SearchRequest(query_text="bird", filter=alice))
        assert len(hits) == 3
        with suppress(grpc.aio.AioRpcError):
            await stub.Get(pb.GetRequest(user_id="alice", id="nowhere"), timeout=TIMEOUT)
        with suppress(grpc.aio.AioRpcError):
            await stub.Store(pb.StoreRequest(), timeout=TIMEOUT)
        metrics = await scrape(server)
    store = {"grpc_service": SERVICE, "grpc_method": "Store", "grpc_type": "unary"}
    assert metrics("grpc_server_started_total", **store) == 4
    assert metrics("grpc_server_handled_total", grpc_code="OK", **store) == 3
    assert metrics("grpc_server_handled_total", grpc_code="InvalidArgument", **store) == 1
    assert metrics("grpc_server_handling_seconds_count", grpc_code="OK", **store) == 3
    assert metrics("grpc_server_handled_total", grpc_method="Get", grpc_code="NotFound") == 1
    assert metrics("grpc_server_handled_total", grpc_method="Search", grpc_type="server_stream", grpc_code="OK") == 1
    assert metrics("grpc_server_started_total", grpc_method="DropIndex") == 0
    assert metrics("semantic_memory_errors_total", grpc_method="Get", reason="MEMORY_NOT_FOUND") == 1
    assert metrics("semantic_memory_calls_in_flight") == 0


async def test_search_time_is_measured_by_stage(settings: Settings) -> None:
    async with metered_server(settings) as (server, stub):
        await stub.Store(store_request("alice", "the canary sings"), timeout=TIMEOUT)
        request = pb.SearchRequest(
            query_text="bird", filter=memory_pb2.MemoryFilter(user_id="alice"), mode=pb.SEARCH_MODE_HYBRID
        )
        _, summary = await search(stub, request)
        metrics = await scrape(server)
    stages = {}
    for stage in ("embed", "engine", "rank", "stream"):
        assert metrics("semantic_memory_stage_seconds_count", grpc_method="Search", stage=stage) == 1, stage
        stages[stage] = metrics("semantic_memory_stage_seconds_sum", grpc_method="Search", stage=stage)
    assert 0 < stages["embed"] < summary.embedding_time.ToNanoseconds() / 1e9 + 0.005
    total = metrics("grpc_server_handling_seconds_sum", grpc_method="Search")
    # Embedding and counting words run concurrently, so only these stages may overlap.
    assert stages["rank"] + stages["stream"] < total
    assert total <= sum(stages.values()) + 0.001
    assert metrics("semantic_memory_engine_operation_seconds_count", operation="nearest") >= 1
    assert metrics("semantic_memory_engine_operation_seconds_count", operation="insert") == 1


async def test_embedder_calls_cache_hits_and_tokens_are_counted(settings: Settings) -> None:
    async with metered_server(settings) as (server, stub):
        for text in ("one canary", "one canary", "two canaries"):
            await stub.Store(store_request("alice", text), timeout=TIMEOUT)
        metrics = await scrape(server)
    assert metrics("semantic_memory_embedding_cache_hits_total") == 1
    assert metrics("semantic_memory_embedding_cache_misses_total") == 2
    assert metrics("semantic_memory_embedding_cache_bytes") > 2 * 384 * 4
    assert metrics("semantic_memory_embedder_calls_total", outcome="OK") == 2
    assert metrics("semantic_memory_embedder_seconds_count") == 2
    assert metrics("semantic_memory_embedder_tokens_total") >= 8  # each text's words, [CLS] and [SEP]


async def test_index_size_failures_and_drift_are_exported(settings: Settings, engine: Connections) -> None:
    intervals = {"index_look_every": 0.2, "index_count_every": 1.0, "layout": "json"}
    async with metered_server(settings, **intervals) as (server, stub):
        for n in range(4):
            item = pb.StoreRequest(
                user_id="alice", role=memory_pb2.ROLE_USER, content=str(n), embedding=packed_embedding(1.0, n)
            )
            await stub.Store(item, timeout=TIMEOUT)
        await wait_for_metric(server, "semantic_memory_index_memories", 4)
        await wait_for_metric(server, "semantic_memory_index_drift", 0)
        index = (await stub.GetIndex(pb.GetIndexRequest(), timeout=TIMEOUT)).index.name
        # The index cannot take this key: its embedding has another dimension.
        await engine.run(["JSON.SET", f"mem_{index}:{uuid.uuid4().hex}", "$", '{"embedding":[1,2]}'])
        # RediSearch does not count it as a document, valkey-search does; both report the failure.
        for _ in range(200):
            metrics = await scrape(server)
            if metrics("semantic_memory_index_failures") >= 1:
                break
            await asyncio.sleep(0.1)
        assert metrics("semantic_memory_index_failures") >= 1


@pytest.mark.parametrize(
    ("before", "keys", "after", "drift"),
    [(10, 10, 10, 0), (10, 13, 10, 3), (10, 8, 10, -2), (10, 12, 15, 0), (10, 16, 15, 1), (15, 9, 10, -1)],
)
async def test_drift_excludes_concurrent_writes(before: int, keys: int, after: int, drift: int) -> None:
    class Engine:
        counts = iter([before, after])

        async def describe(self, index: str) -> IndexInfo:
            return IndexInfo(index, 384, "model", frozenset(Algorithm), True, next(self.counts), 0)

        async def count_keys(self, index: str) -> int:
            assert index == "an_index"
            return keys

    watch = IndexMonitor(Engine(), "an_index", check_interval=3600, count_interval=3600)
    following = asyncio.create_task(watch.run())
    for _ in range(100):  # Nothing that it awaits takes time.
        await asyncio.sleep(0)
    following.cancel()
    assert (watch.memories, watch.drift) == (before, drift)


async def test_readiness_connections_and_event_loop_lag_are_exported(settings: Settings) -> None:
    async with metered_server(settings, valkey_connections=3) as (server, stub):
        await wait_for_metric(server, "semantic_memory_ready", 1)
        await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
        metrics = await scrape(server)
        assert metrics("semantic_memory_engine_connections") == 3
        assert 0 <= metrics("semantic_memory_engine_connections_busy") <= 3
        assert metrics("semantic_memory_engine_waiting") == 0
        await asyncio.sleep(0.6)
        assert (await scrape(server))("semantic_memory_event_loop_lag_seconds_count") >= 1
        assert metrics("semantic_memory_build_info") == 1
        await server.drain(0)
        assert (await scrape(server))("semantic_memory_ready") == 0


async def test_shed_calls_are_counted_with_their_reason(settings: Settings) -> None:
    async with metered_server(settings, max_concurrent_rpcs=2) as (server, stub):
        item = store_request("alice", "the canary sings")
        results = await asyncio.gather(*(stub.Store(item, timeout=TIMEOUT) for _ in range(30)), return_exceptions=True)
        refused = [one for one in results if isinstance(one, grpc.aio.AioRpcError)]
        assert refused
        assert {one.code() for one in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert {error_reason(one) for one in refused} == {"OVERLOADED"}
        metrics = await scrape(server)
    assert metrics("semantic_memory_errors_total", grpc_method="Store", reason="OVERLOADED") == len(refused)


async def unary(channel: grpc.aio.Channel, method: str) -> None:
    call: Any = channel.unary_unary(method)
    await call(b"")


def _labels() -> Iterator[tuple[str, set[str]]]:
    yield "grpc_method", set(METHODS)
    yield "grpc_service", {SERVICE}
    yield "grpc_type", {"unary", "server_stream"}
    yield "stage", {"embed", "engine", "rank", "stream"}


async def test_no_label_contains_caller_input(settings: Settings) -> None:
    async with metered_server(settings) as (server, stub):
        async with grpc.aio.insecure_channel(server.address) as channel:
            with suppress(grpc.aio.AioRpcError):
                await unary(channel, f"/{SERVICE}/zebra_method")
            with suppress(grpc.aio.AioRpcError):
                await unary(channel, "/zebra.Service/Method")
        index = f"zebra_{uuid.uuid4().hex[:8]}"
        with suppress(grpc.aio.AioRpcError):
            await stub.GetIndex(pb.GetIndexRequest(index=index), timeout=TIMEOUT)
        item = store_request("zebra_user", "zebra content", session="zebra_session")
        item.labels.append("zebra_label")
        await stub.Store(item, timeout=TIMEOUT, metadata=(("x-request-id", "zebra-request"),))
        where = memory_pb2.MemoryFilter(user_id="zebra_user", session_ids=["zebra_session"])
        await search(stub, pb.SearchRequest(query_text="zebra", filter=where))
        metrics = await scrape(server)
    assert "zebra" not in metrics.text
    for label, allowed in _labels():
        assert metrics.values(label) <= allowed


async def test_a_metrics_port_in_use_stops_the_start_with_a_clear_error(settings: Settings) -> None:
    async with metered_server(settings) as (server, _):
        with pytest.raises(OSError, match="MEMORY_METRICS_LISTEN"):
            async with server_with_auth(settings, metrics_listen=server.metrics_address):
                pass
