"""The composition root: settings to objects to a running server, and down again."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import grpc
import structlog
import uvloop

from memory_service.access.api_keys import ApiKeys
from memory_service.access.callers import Verifier
from memory_service.access.jwt_tokens import Tokens, TokenSettings
from memory_service.access.limits import Limits
from memory_service.distribution import install_command
from memory_service.domain.errors import FailedPrecondition, Reason
from memory_service.domain.expiry_sweep import ExpirySweep
from memory_service.domain.fairness import FairBudget
from memory_service.domain.indexes import Indexes
from memory_service.domain.listing import Listing
from memory_service.domain.memories import Memories
from memory_service.domain.search import Searches
from memory_service.domain.types import Layout
from memory_service.embedded import embedded_engine
from memory_service.embedding.bedrock import BedrockEmbedder, BedrockSettings
from memory_service.embedding.breaker import CircuitBreaker
from memory_service.embedding.cache import CachedEmbedder
from memory_service.embedding.local import LocalEmbedder
from memory_service.listen_address import check_address
from memory_service.rpc.server import METHODS, SERVICE, RpcServer
from memory_service.rpc.servicer import MemoryServicer
from memory_service.rpc.tls import server_credentials
from memory_service.rpc.validation import RequestValidator
from memory_service.settings import Settings
from memory_service.startup import start_unless_stopped
from memory_service.telemetry.call_log import Lines
from memory_service.telemetry.gauges import Figures, follow_lag
from memory_service.telemetry.index_monitor import IndexWatch
from memory_service.telemetry.instrumentation import CountedEmbedder, WatchedEmbedder, watched
from memory_service.telemetry.metrics import Metrics
from memory_service.telemetry.metrics_endpoint import scraped
from memory_service.telemetry.telemetry import Telemetry, Tracer
from memory_service.valkey import (
    Connections,
    ConnectionSettings,
    EngineProbe,
    ValkeyIndexes,
    ValkeyMemories,
    ValkeySearches,
)
from memory_service.valkey.diagnosis import diagnose
from memory_service.valkey.url import parse_url

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RpcServer]:
    """A server that serves while the context is open, and has ended its calls and engine when it closes.

    Raises:
        FailedPrecondition: the settings ask for what is not installed or not known.
        OSError: the address is taken.
    """
    async with contextlib.AsyncExitStack() as stack:
        metrics = Metrics(SERVICE, METHODS) if settings.metrics_listen else None
        # What may be wrong with the settings, before an engine is started in vain.
        verifiers, credentials = access(settings)
        bare = embedder(settings, metrics)
        stack.callback(bare.close)
        for setting, listen in (("MEMORY_LISTEN", settings.listen), ("MEMORY_HEALTH_LISTEN", settings.health_listen)):
            if listen is not None:
                check_address(setting, listen, shared=settings.workers > 1)
        connection_settings = await engine_settings(settings, stack)
        connections = await _opened(connection_settings, stack)
        probe = EngineProbe(await _opened(replace(connection_settings, connections=1), stack), connections)
        store = watched(ValkeyMemories(connections), metrics)
        search = watched(
            ValkeySearches(connections, ef_runtime=settings.ef_runtime, search_timeout=settings.valkey_timeout), metrics
        )
        index_store = watched(ValkeyIndexes(connections, new_layout=Layout(settings.layout.upper())), metrics)
        breaker = CircuitBreaker(
            CountedEmbedder(bare, metrics) if metrics else bare, threshold=settings.embedder_outages
        )
        cache = CachedEmbedder(
            breaker,
            max_bytes=settings.embedding_cache_bytes,
            at_once=bare.concurrency,
            of_one_flow=bare.of_one_flow,
            queue=settings.embedder_queue,
        )
        cached = WatchedEmbedder(cache)
        indexes = Indexes(index_store, cached, default=settings.index)
        validator = RequestValidator()
        answers_memory = FairBudget(
            settings.answer_bytes,
            capacity=settings.max_concurrent_rpcs,
            what="memory for answers",
            of_one_flow=settings.answer_bytes // 2,
        )
        server = RpcServer(
            MemoryServicer(
                memories=Memories(store, search, cached, indexes),
                searches=Searches(search, store, cached, indexes, answers_memory),
                listing=Listing(search, store, indexes),
                indexes=indexes,
                validator=validator,
                answers=answers_memory,
            ),
            validator,
            listen=settings.listen,
            health_listen=settings.health_listen,
            credentials=credentials,
            verifiers=verifiers,
            limits=Limits(
                in_flight=settings.caller_in_flight,
                rate=settings.caller_rate,
                all_in_flight=settings.max_concurrent_rpcs,
            ),
            requests=FairBudget(
                settings.request_bytes,
                capacity=settings.max_concurrent_rpcs,
                what="memory for requests",
                of_one_flow=settings.request_bytes // 2,
            ),
            telemetry=Telemetry(Lines(sample=settings.log_sample), metrics, _tracing(settings, stack)),
            probe=probe.check,
            explain=partial(diagnose, connection_settings),
            default_deadline=settings.default_deadline,
            max_concurrent_rpcs=settings.max_concurrent_rpcs,
            share_port=settings.workers > 1,
        )
        sweep = ExpirySweep(indexes, store, every=settings.expiry_sweep_every)
        stack.callback(asyncio.create_task(sweep.follow()).cancel)
        if metrics is not None:
            watch = IndexWatch(index_store, settings.index, settings.index_look_every, settings.index_count_every)
            metrics.registry.register(_figures(server, connections, cache, watch))
            for following in (watch.follow(), follow_lag(metrics)):
                stack.callback(asyncio.create_task(following).cancel)
            server.metrics_address = stack.enter_context(scraped(metrics, settings.metrics_listen or ""))
        await server.start()
        shown = {"metrics_address": server.metrics_address} if metrics else {}
        _log.info("serving", address=server.address, embedding_model=cached.model, dimension=cached.dimension, **shown)
        try:
            yield server
        finally:
            await server.stop(settings.grace)


async def _opened(settings: ConnectionSettings, stack: contextlib.AsyncExitStack) -> Connections:
    """Connections that are open until the stack closes."""
    connections = Connections(settings)
    await connections.open()
    stack.push_async_callback(connections.close)
    return connections


def serve(settings: Settings, *, supervised: bool = False) -> None:
    """Serve until SIGTERM, then drain; or until SIGINT (Ctrl-C), when someone waits for the prompt. With `supervised`
    also until standard input ends; a line on standard output says that it serves."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, supervised))


async def _serve(settings: Settings, supervised: bool) -> None:
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not told.done():
            told.set_result(number)

    def end_with_supervisor() -> None:
        loop.remove_reader(0)
        end(signal.SIGINT)  # Whoever starts it again waits for the port.

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    if supervised:
        loop.add_reader(0, end_with_supervisor)
    async with contextlib.AsyncExitStack() as stack:
        # An embedded engine may load its data for minutes.
        server = await start_unless_stopped(told, stack.enter_async_context(running(settings)))
        if server is None:
            return
        # What the start has made stays: a full collection, which holds up every call, need not look at it again.
        gc.collect()
        gc.freeze()
        if supervised:
            os.write(1, b"serving\n")
        received = signal.Signals(await told)
        _log.info("stopping", signal=received.name)
        if received == signal.SIGTERM:
            await server.drain(settings.drain)


async def engine_settings(settings: Settings, stack: contextlib.AsyncExitStack) -> ConnectionSettings:
    """How to reach Valkey; starts the embedded one where no other is named."""
    if settings.valkey_url is not None:
        url = settings.valkey_url.get_secret_value()
    else:
        url = await stack.enter_async_context(embedded_engine(settings.data_dir))
    return parse_url(url, connections=settings.valkey_connections, command_timeout=settings.valkey_timeout)


def access(settings: Settings) -> tuple[list[Verifier], grpc.ServerCredentials | None]:
    """Who is let in, and by what certificate; what is wrong with the files stops the start."""
    verifiers: list[Verifier] = []
    credentials = None
    try:
        setting = "MEMORY_API_KEYS"
        if settings.api_keys is not None:
            verifiers.append(ApiKeys(settings.api_keys))
        setting = "MEMORY_TLS_CERT, MEMORY_TLS_KEY, MEMORY_TLS_CLIENT_CA"
        if settings.tls_cert is not None and settings.tls_key is not None:
            credentials = server_credentials(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    except OSError as error:
        example = (
            f"{setting.split(',')[0]}=/etc/semantic-memory/{setting.split(',')[0].removeprefix('MEMORY_').lower()}"
        )
        why = f"{setting}: cannot read {error.filename}: {error.strerror}; for example {example}"
        raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, why) from error
    except ValueError as error:
        raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{setting}: {error}") from error
    if settings.jwt_jwks is not None and settings.jwt_issuer is not None and settings.jwt_audience is not None:
        tokens = TokenSettings(
            jwks=settings.jwt_jwks,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            users_claim=settings.jwt_users_claim,
            rights_claim=settings.jwt_rights_claim,
        )
        verifiers.append(Tokens(tokens))
    return verifiers, credentials


def _tracing(settings: Settings, stack: contextlib.AsyncExitStack) -> Tracer | None:
    """What makes spans of calls, where it is asked for."""
    given = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") for name in ("ENDPOINT", "TRACES_ENDPOINT"))
    if not (given if settings.traces is None else settings.traces):
        return None
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            why = f"{name}: spans are sent over HTTP alone; for example {name}=http/protobuf, to port 4318"
            raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, why)
    try:
        from memory_service.telemetry.tracing import Tracing  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        command = install_command(extra="otel")
        why = f"MEMORY_TRACES: OpenTelemetry is missing: {command}; or set MEMORY_TRACES=false"
        raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, why) from error
    tracing = Tracing(SERVICE)
    stack.push_async_callback(asyncio.to_thread, tracing.close)
    return tracing


def _figures(server: RpcServer, connections: Connections, cache: CachedEmbedder, watch: IndexWatch) -> Figures:
    """What metrics read off the running objects."""
    return Figures(
        {
            "semantic_memory_ready": ("1 while readiness says SERVING", lambda: server.ready),
            "semantic_memory_engine_connections": ("Connections to Valkey", lambda: connections.pool.size),
            "semantic_memory_engine_connections_busy": ("Those that carry a command", lambda: connections.pool.busy),
            "semantic_memory_engine_waiting": (
                "Operations that await a connection",
                lambda: connections.pool.waiting,
            ),
            "semantic_memory_embedder_waiting": ("Calls that wait for the embedder", lambda: cache.waiting),
            "semantic_memory_embedding_cache_hits_total": ("Texts whose embedding was known", lambda: cache.hits),
            "semantic_memory_embedding_cache_misses_total": ("Texts that had to be embedded", lambda: cache.misses),
            "semantic_memory_embedding_cache_bytes": ("Memory of the embedding cache", lambda: cache.size),
            "semantic_memory_index_memories": ("Memories in the default index", lambda: watch.memories),
            "semantic_memory_index_failures": ("Documents that could not be indexed", lambda: watch.failures),
            "semantic_memory_index_drift": ("Keys that the default index does not find", lambda: watch.drift),
        }
    )


def embedder(settings: Settings, metrics: Metrics | None = None) -> LocalEmbedder | BedrockEmbedder:
    """What makes embeddings, as set.

    Raises FailedPrecondition.
    """
    on_tokens = metrics.embedder_tokens.inc if metrics else lambda _: None
    if settings.embedder == "local":
        return LocalEmbedder(threads=settings.local_threads, on_tokens=on_tokens)
    return BedrockEmbedder(
        BedrockSettings(
            model=settings.bedrock_model,
            dimension=settings.bedrock_dimension,
            region=settings.bedrock_region,
            endpoint_url=settings.bedrock_endpoint_url,
            concurrency=settings.bedrock_concurrency,
        ),
        on_tokens=on_tokens,
    )
