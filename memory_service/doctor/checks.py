"""Check everything that a server with these settings needs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from memory_service import distribution
from memory_service.components import build_access, build_embedder, engine_connection
from memory_service.doctor.engine import check_memory, check_persistence, check_versions
from memory_service.doctor.finding import Finding, State
from memory_service.doctor.index import check_documents, check_index
from memory_service.domain.errors import FailedPrecondition, MemoryServiceError
from memory_service.embedded import DataDirInUse
from memory_service.settings import Settings
from memory_service.valkey import Connections, ConnectionSettings, server_info

_STOP_SERVER = "stop that server first; or name its Valkey in MEMORY_VALKEY_URL, if it is not embedded"
_TIMEOUT = 5.0
_EMBED_TIMEOUT = 30.0


async def run_checks(settings: Settings) -> AsyncIterator[Finding]:
    """Yield the finding of each check. WRONG means that the service cannot keep its promises."""
    yield await asyncio.to_thread(_installation)
    try:
        build_access(settings)
        yield Finding("access", State.GOOD, _callers(settings))
    except MemoryServiceError as error:
        yield Finding("access", State.WRONG, error.message)
    model, dimension = "", 0
    async for finding, found_model, found_dimension in _embedder(settings):
        model, dimension = found_model, found_dimension
        yield finding
    async with contextlib.AsyncExitStack() as stack:
        try:
            connection_settings = await engine_connection(settings, stack)
        except DataDirInUse as error:
            yield Finding("engine", State.UNKNOWN, f"the embedded Valkey is not checked: {error.message}", _STOP_SERVER)
            return
        except MemoryServiceError as error:
            yield Finding("engine", State.WRONG, error.message)
            return
        async for finding in _engine(settings, connection_settings, model, dimension):
            yield finding


def _installation() -> Finding:
    if (problem := distribution.foreign_distribution()) is not None:
        return Finding("installation", State.WRONG, *problem)
    if (problem := distribution.duplicate_client()) is not None:
        return Finding("installation", State.RISK, *problem)
    return Finding("installation", State.GOOD, f"version {distribution.version()}")


def _callers(settings: Settings) -> str:
    kinds = {
        "API keys": settings.api_keys,
        "JSON Web Tokens": settings.jwt_jwks,
        "client certificates": settings.tls_client_ca,
    }
    configured = [name for name, value in kinds.items() if value is not None]
    return f"callers with {', '.join(configured)}" if configured else f"anyone who can connect to {settings.listen}"


async def _embedder(settings: Settings) -> AsyncIterator[tuple[Finding, str, int]]:
    try:
        embedding = build_embedder(settings)
    except MemoryServiceError as error:
        yield Finding("embedder", State.WRONG, error.message), "", 0
        return
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_EMBED_TIMEOUT):
            await embedding.embed("word")
        took = f"{(time.perf_counter() - started) * 1000:.0f} ms"
        finding = Finding(
            "embedder", State.GOOD, f"{embedding.model} computed {embedding.dimension} dimensions in {took}"
        )
    except (MemoryServiceError, TimeoutError) as error:
        advice = ""
        if settings.embedder == "bedrock":
            advice = (
                "set AWS credentials (aws sts get-caller-identity shows them) and MEMORY_BEDROCK_REGION=us-east-1 or "
                "yours, allow bedrock:InvokeModel, and get access to the model in that region"
            )
        finding = Finding("embedder", State.WRONG, str(error) or f"no answer in {_EMBED_TIMEOUT:.0f} s", advice)
    finally:
        embedding.close()
    yield finding, embedding.model, embedding.dimension


async def _engine(
    settings: Settings, connection_settings: ConnectionSettings, model: str, dimension: int
) -> AsyncIterator[Finding]:
    connections = Connections(
        replace(connection_settings, connections=1, command_timeout=min(_TIMEOUT, settings.valkey_timeout))
    )
    await connections.open()
    try:
        where = ", ".join(f"{node.host}:{node.port}" for node in connection_settings.addresses)
        started = time.perf_counter()
        try:
            await connections.check()
        except MemoryServiceError as error:
            advice = (
                f"check MEMORY_VALKEY_URL and the network, for example with valkey-cli -u valkey://… ping, at {where}"
            )
            yield Finding("engine", State.WRONG, f"{where}: {error.message.partition(';')[0]}", advice)
            return
        yield Finding("engine", State.GOOD, f"{where} answers in {(time.perf_counter() - started) * 1000:.1f} ms")
        refused = await server_info.refused_commands(connections, settings.index)
        if refused:
            advice = "grant its user the permissions in deploy/valkey.acl with ACL SETUSER"
            yield Finding("acl", State.WRONG, f"Valkey refuses {', '.join(refused)}", advice)
        else:
            yield Finding("acl", State.GOOD, "every command of the service is allowed")
        try:
            for node in await server_info.nodes(connections):
                for finding in (
                    *check_versions(node),
                    check_persistence(node, connection_settings),
                    check_memory(node),
                ):
                    yield finding
        except FailedPrecondition:
            yield Finding("versions", State.UNKNOWN, "Valkey refuses INFO", "grant +info, as in deploy/valkey.acl")
        if not refused:
            yield await check_index(settings.index, connections, model, dimension)
            if (documents := await check_documents(settings.index, connections)) is not None:
                yield documents
    finally:
        await connections.close()
