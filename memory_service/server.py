"""The composition root: builds the server from its settings, runs it, and stops it again."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import structlog
import uvloop

from memory_service.access.limits import CallLimits
from memory_service.components import build_access, build_embedder, build_tracing, engine_connection
from memory_service.domain.expiry_sweep import ExpirySweep
from memory_service.domain.fairness import FairBudget
from memory_service.domain.indexes import Indexes
from memory_service.domain.listing import Listing
from memory_service.domain.memories import Memories
from memory_service.domain.search import Searches
from memory_service.domain.types import Layout
from memory_service.embedding.bedrock import BedrockEmbedder
from memory_service.embedding.breaker import CircuitBreaker
from memory_service.embedding.cache import CachedEmbedder
from memory_service.embedding.local import LocalEmbedder
from memory_service.listen_address import check_address
from memory_service.rpc.server import METHODS, SERVICE, RpcServer
from memory_service.rpc.servicer import MemoryServicer
from memory_service.rpc.validation import RequestValidator
from memory_service.settings import Settings
from memory_service.startup import start_unless_stopped
from memory_service.telemetry.call_log import CallLog
from memory_service.telemetry.event_loop_lag import measure_event_loop_lag
from memory_service.telemetry.gauges import GaugeCollector
from memory_service.telemetry.index_monitor import IndexMonitor
from memory_service.telemetry.instrumentation import InstrumentedEmbedder, MeteredEmbedder, instrumented
from memory_service.telemetry.metrics import Metrics
from memory_service.telemetry.metrics_endpoint import serve_metrics
from memory_service.telemetry.telemetry import Telemetry
from memory_service.valkey import (
    Connections,
    ConnectionSettings,
    EngineProbe,
    ValkeyIndexes,
    ValkeyMemories,
    ValkeySearches,
)
from memory_service.valkey.diagnosis import diagnose

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def run_server(settings: Settings) -> AsyncIterator[RpcServer]:
    """Serve while the context is open; end the calls and the embedded engine when it closes.

    Raises:
        FailedPrecondition: a setting is invalid, or a package that it requires is not installed.
        OSError: the address is in use.
    """
    async with contextlib.AsyncExitStack() as stack:
        metrics = Metrics(SERVICE, METHODS) if settings.metrics_listen else None
        # Wrong settings must fail before an engine is started.
        verifiers, credentials = build_access(settings)
        embedder = build_embedder(settings, metrics)
        stack.callback(embedder.close)
        _check_addresses(settings)
        connection_settings = await engine_connection(settings, stack)
        connections = await _open(connection_settings, stack)
        probe_connection = await _open(replace(connection_settings, connections=1), stack)
        index_store = instrumented(ValkeyIndexes(connections, new_layout=Layout(settings.layout.upper())), metrics)
        cache = _cached(embedder, settings, metrics)
        indexes = Indexes(index_store, InstrumentedEmbedder(cache), default=settings.index)
        validator = RequestValidator()
        servicer = _servicer(settings, connections, cache, indexes, validator, metrics)
        server = RpcServer(
            servicer,
            validator,
            listen=settings.listen,
            health_listen=settings.health_listen,
            credentials=credentials,
            verifiers=verifiers,
            limits=CallLimits(
                in_flight=settings.caller_in_flight,
                rate=settings.caller_rate,
                total_in_flight=settings.max_concurrent_rpcs,
            ),
            request_memory=_memory_budget(settings, settings.request_bytes, "memory for requests"),
            telemetry=Telemetry(CallLog(sample=settings.log_sample), metrics, build_tracing(settings, stack)),
            probe=EngineProbe(probe_connection, connections).check,
            explain=partial(diagnose, connection_settings),
            default_deadline=settings.default_deadline,
            max_concurrent_rpcs=settings.max_concurrent_rpcs,
            connection_age=settings.connection_age,
            share_port=settings.workers > 1,
        )
        sweep = ExpirySweep(
            indexes, instrumented(ValkeyMemories(connections), metrics), interval=settings.expiry_sweep_every
        )
        stack.callback(asyncio.create_task(sweep.run()).cancel)
        if metrics is not None:
            monitor = IndexMonitor(index_store, settings.index, settings.index_look_every, settings.index_count_every)
            for background in (monitor.run(), measure_event_loop_lag(metrics)):
                stack.callback(asyncio.create_task(background).cancel)
            metrics.registry.register(_gauges(server, connections, cache, monitor))
            server.metrics_address = stack.enter_context(serve_metrics(metrics, settings.metrics_listen or ""))
        await server.start()
        fields = {"metrics_address": server.metrics_address} if metrics else {}
        _log.info("serving", address=server.address, embedding_model=cache.model, dimension=cache.dimension, **fields)
        try:
            yield server
        finally:
            await server.stop(settings.grace)


def serve(settings: Settings, *, supervised: bool = False) -> None:
    """Serve until SIGTERM, which drains the server first, or SIGINT (Ctrl-C), which does not.

    With `supervised`, also stop when standard input closes. Once serving, write the line "serving" to standard output.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, supervised))


async def _serve(settings: Settings, supervised: bool) -> None:
    loop = asyncio.get_running_loop()
    stop_signal: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if not stop_signal.done():
            stop_signal.set_result(number)

    def stop_with_supervisor() -> None:
        loop.remove_reader(0)
        stop(signal.SIGINT)  # Without a drain: a new supervisor waits for the port.

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    if supervised:
        loop.add_reader(0, stop_with_supervisor)
    async with contextlib.AsyncExitStack() as stack:
        # An embedded engine may load its data for minutes.
        server = await start_unless_stopped(stop_signal, stack.enter_async_context(run_server(settings)))
        if server is None:
            return
        # Objects created at startup live as long as the process. Freezing them shortens full garbage collections,
        # which block every call.
        gc.collect()
        gc.freeze()
        if supervised:
            os.write(1, b"serving\n")
        received = signal.Signals(await stop_signal)
        _log.info("stopping", signal=received.name)
        if received == signal.SIGTERM:
            await server.drain(settings.drain)


def _check_addresses(settings: Settings) -> None:
    """Check that the server can listen on its addresses."""
    shared = settings.workers > 1
    for setting, listen, is_shared in (
        ("MEMORY_LISTEN", settings.listen, shared),
        ("MEMORY_HEALTH_LISTEN", settings.health_listen, shared),
        ("MEMORY_METRICS_LISTEN", settings.metrics_listen, False),
    ):
        if listen is not None:
            check_address(setting, listen, shared=is_shared)


async def _open(settings: ConnectionSettings, stack: contextlib.AsyncExitStack) -> Connections:
    """Return connections that are open until the stack closes."""
    connections = Connections(settings)
    await connections.open()
    stack.push_async_callback(connections.close)
    return connections


def _cached(embedder: LocalEmbedder | BedrockEmbedder, settings: Settings, metrics: Metrics | None) -> CachedEmbedder:
    """Return the embedder behind a cache, a fair queue and a circuit breaker."""
    return CachedEmbedder(
        CircuitBreaker(
            MeteredEmbedder(embedder, metrics) if metrics else embedder, threshold=settings.embedder_outages
        ),
        max_bytes=settings.embedding_cache_bytes,
        concurrency=embedder.concurrency,
        per_flow=embedder.per_flow,
        queue_capacity=settings.embedder_queue,
    )


def _servicer(
    settings: Settings,
    connections: Connections,
    cache: CachedEmbedder,
    indexes: Indexes,
    validator: RequestValidator,
    metrics: Metrics | None,
) -> MemoryServicer:
    """Return the gRPC servicer for the use cases."""
    embedder = InstrumentedEmbedder(cache)
    store = instrumented(ValkeyMemories(connections), metrics)
    search = instrumented(
        ValkeySearches(connections, ef_runtime=settings.ef_runtime, search_timeout=settings.valkey_timeout), metrics
    )
    response_memory = _memory_budget(settings, settings.answer_bytes, "memory for responses")
    return MemoryServicer(
        memories=Memories(store, search, embedder, indexes),
        searches=Searches(search, store, embedder, indexes, response_memory),
        listing=Listing(search, store, indexes),
        indexes=indexes,
        validator=validator,
        response_memory=response_memory,
    )


def _memory_budget(settings: Settings, size: int, what: str) -> FairBudget:
    """Return a budget of `size` bytes, half of which one flow may use."""
    return FairBudget(size, capacity=settings.max_concurrent_rpcs, what=what, per_flow=size // 2)


def _gauges(
    server: RpcServer, connections: Connections, cache: CachedEmbedder, monitor: IndexMonitor
) -> GaugeCollector:
    """Return the metrics that are read from objects when they are scraped."""
    pool = connections.pool
    return GaugeCollector(
        {
            "semantic_memory_ready": ("1 while readiness says SERVING", lambda: server.ready),
            "semantic_memory_engine_connections": ("Connections to Valkey", lambda: pool.size),
            "semantic_memory_engine_connections_busy": ("Connections with a command in flight", lambda: pool.busy),
            "semantic_memory_engine_waiting": ("Operations that wait for a connection", lambda: pool.waiting),
            "semantic_memory_embedder_waiting": ("Calls that wait for the embedder", lambda: cache.waiting),
            "semantic_memory_embedding_cache_hits_total": ("Texts found in the embedding cache", lambda: cache.hits),
            "semantic_memory_embedding_cache_misses_total": ("Texts that were embedded", lambda: cache.misses),
            "semantic_memory_embedding_cache_bytes": ("Memory of the embedding cache", lambda: cache.size),
            "semantic_memory_index_memories": ("Memories in the default index", lambda: monitor.memories),
            "semantic_memory_index_failures": ("Documents that could not be indexed", lambda: monitor.failures),
            "semantic_memory_index_drift": ("Keys missing from the default index", lambda: monitor.drift),
        }
    )
