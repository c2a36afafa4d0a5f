"""The composition root: settings to objects to a running server, and down again."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import structlog
import uvloop

from memory_service.access.callers import Verifier
from memory_service.access.keys import ApiKeys
from memory_service.access.limits import Budget, Limits
from memory_service.access.tokens import Tokens, TokenSettings
from memory_service.embedded import EmbeddedValkey
from memory_service.embedding.bedrock import BedrockEmbedder, BedrockSettings
from memory_service.embedding.breaker import CircuitBreaker
from memory_service.embedding.cache import CachedEmbedder
from memory_service.embedding.local import LocalEmbedder
from memory_service.engine import (
    Address,
    Connections,
    ConnectionSettings,
    ValkeyIndexes,
    ValkeyMemories,
    ValkeySearches,
)
from memory_service.engine.url import parse_url
from memory_service.memory.errors import FailedPrecondition, Reason
from memory_service.memory.indexes import Indexes
from memory_service.memory.listing import Listing
from memory_service.memory.memories import Memories
from memory_service.memory.search import Searches
from memory_service.rpc.server import RpcServer
from memory_service.rpc.servicer import MemoryServicer
from memory_service.rpc.tls import server_credentials
from memory_service.rpc.validation import RequestValidator
from memory_service.settings import Settings

_PROBE = 0.7
"""Seconds that the engine has to answer a probe of readiness."""

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RpcServer]:
    """A server that serves while the context is open, and has ended its calls and engine when it closes.

    Raises:
        FailedPrecondition: the settings ask for what is not installed or not known.
        OSError: the address is taken.
    """
    async with contextlib.AsyncExitStack() as stack:
        connection_settings = await _engine(settings, stack)
        connections = Connections(connection_settings)
        await connections.open()
        stack.push_async_callback(connections.close)

        async def answers() -> None:
            try:
                async with asyncio.timeout(_PROBE):
                    await probing.check()
            except TimeoutError:
                # On a machine without a moment to spare that says little while other commands are answered.
                if not connections.heard_within(_PROBE):
                    raise

        store = ValkeyMemories(connections)
        search = ValkeySearches(connections, ef_runtime=settings.ef_runtime, search_timeout=settings.valkey_timeout)
        index_store = ValkeyIndexes(connections)
        # Readiness has a connection of its own: a queue for the others must not look like an outage.
        probing = Connections(replace(connection_settings, connections=1))
        await probing.open()
        stack.push_async_callback(probing.close)
        embedder = _embedder(settings)
        stack.callback(embedder.close)
        cached = CachedEmbedder(CircuitBreaker(embedder, threshold=settings.embedder_outages), max_bytes=settings.embedding_cache_bytes)
        indexes = Indexes(index_store, cached, default=settings.index)
        validator = RequestValidator()
        verifiers, credentials = _access(settings)
        server = RpcServer(
            MemoryServicer(
                memories=Memories(store, search, cached, indexes),
                searches=Searches(search, store, cached, indexes),
                listing=Listing(search, store, indexes),
                indexes=indexes,
                validator=validator,
                answers=Budget(settings.answer_bytes),
            ),
            validator,
            listen=settings.listen,
            health_listen=settings.health_listen,
            credentials=credentials,
            verifiers=verifiers,
            limits=Limits(in_flight=settings.caller_in_flight, rate=settings.caller_rate),
            probe=answers,
            default_deadline=settings.default_deadline,
            max_concurrent_rpcs=settings.max_concurrent_rpcs,
        )
        await server.start()
        _log.info("serving", address=server.address, embedding_model=cached.model, dimension=cached.dimension)
        try:
            yield server
        finally:
            await server.stop(settings.grace)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM, then drain; or until SIGINT (Ctrl-C), when someone waits for the prompt."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(number: int) -> None:
        if not told.done():
            told.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    async with running(settings) as server:
        received = signal.Signals(await told)
        _log.info("stopping", signal=received.name)
        if received == signal.SIGTERM:
            await server.drain(settings.drain)


async def _engine(settings: Settings, stack: contextlib.AsyncExitStack) -> ConnectionSettings:
    """How to reach Valkey; starts the embedded one where no other is named."""
    if settings.valkey_url is not None:
        return parse_url(
            settings.valkey_url.get_secret_value(),
            connections=settings.valkey_connections,
            command_timeout=settings.valkey_timeout,
        )
    valkey = EmbeddedValkey(settings.data_dir)
    _log.info("starting_embedded_engine", data_dir=str(valkey.data_dir))
    stack.push_async_callback(valkey.stop)
    await valkey.start()
    return ConnectionSettings(
        addresses=(Address("127.0.0.1", valkey.port),),
        password=valkey.password,
        connections=settings.valkey_connections,
        command_timeout=settings.valkey_timeout,
    )


def _access(settings: Settings) -> tuple[list[Verifier], grpc.ServerCredentials | None]:
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
    except (OSError, ValueError) as error:
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


def _embedder(settings: Settings) -> LocalEmbedder | BedrockEmbedder:
    if settings.embedder == "local":
        return LocalEmbedder(threads=settings.local_threads)
    return BedrockEmbedder(
        BedrockSettings(
            model=settings.bedrock_model,
            dimension=settings.bedrock_dimension,
            region=settings.bedrock_region,
            endpoint_url=settings.bedrock_endpoint_url,
            concurrency=settings.bedrock_concurrency,
        )
    )
