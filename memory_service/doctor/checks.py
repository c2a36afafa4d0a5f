"""Looks at everything that a server with these settings needs, and says what to do about what it finds."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from memory_service import distribution
from memory_service.components import build_access, build_embedder, engine_connection
from memory_service.doctor.engine import memory, persistence, versions
from memory_service.doctor.finding import Finding, State
from memory_service.doctor.index import damage, index
from memory_service.domain.errors import FailedPrecondition, MemoryServiceError
from memory_service.embedded import DataDirInUse
from memory_service.settings import Settings
from memory_service.valkey import Connections, ConnectionSettings, server_info

_TIMEOUT = 5.0
_EMBED_TIMEOUT = 30.0


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Every finding, as it is made. Only WRONG ones keep a service from doing what it promises."""
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
            reached = await engine_connection(settings, stack)
        except DataDirInUse as error:
            yield Finding("engine", State.UNKNOWN, f"embedded, and not looked at: {error.message}")
            return
        except MemoryServiceError as error:
            yield Finding("engine", State.WRONG, error.message)
            return
        async for finding in _engine(settings, reached, model, dimension):
            yield finding


def _installation() -> Finding:
    if (why := distribution.stranger()) is not None:
        return Finding("installation", State.WRONG, *why)
    if (why := distribution.installed_twice()) is not None:
        return Finding("installation", State.RISK, *why)
    return Finding("installation", State.GOOD, f"version {distribution.version()}")


def _callers(settings: Settings) -> str:
    named = {
        "API keys": settings.api_keys,
        "JSON Web Tokens": settings.jwt_jwks,
        "client certificates": settings.tls_client_ca,
    }
    known = [name for name, value in named.items() if value is not None]
    return f"callers by {', '.join(known)}" if known else f"anyone who reaches {settings.listen}"


async def _embedder(settings: Settings) -> AsyncIterator[tuple[Finding, str, int]]:
    try:
        made = build_embedder(settings)
    except MemoryServiceError as error:
        yield Finding("embedder", State.WRONG, error.message), "", 0
        return
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_EMBED_TIMEOUT):
            await made.embed("word")
        took = f"{(time.perf_counter() - started) * 1000:.0f} ms"
        finding = Finding("embedder", State.GOOD, f"{made.model} made {made.dimension} dimensions in {took}")
    except (MemoryServiceError, TimeoutError) as error:
        advice = ""
        if settings.embedder == "bedrock":
            advice = (
                "set AWS credentials (aws sts get-caller-identity shows them) and MEMORY_BEDROCK_REGION=us-east-1 or "
                "yours, allow bedrock:InvokeModel, and get access to the model in that region"
            )
        finding = Finding("embedder", State.WRONG, str(error) or f"no answer in {_EMBED_TIMEOUT:.0f} s", advice)
    finally:
        made.close()
    yield finding, made.model, made.dimension


async def _engine(
    settings: Settings, reached: ConnectionSettings, model: str, dimension: int
) -> AsyncIterator[Finding]:
    connections = Connections(replace(reached, connections=1, command_timeout=min(_TIMEOUT, settings.valkey_timeout)))
    await connections.open()
    try:
        where = ", ".join(f"{one.host}:{one.port}" for one in reached.addresses)
        started = time.perf_counter()
        try:
            await connections.check()
        except MemoryServiceError as error:
            advice = f"check MEMORY_VALKEY_URL and the network: valkey-cli -u valkey://… ping, at {where}"
            yield Finding("engine", State.WRONG, f"{where}: {error.message.partition(';')[0]}", advice)
            return
        yield Finding("engine", State.GOOD, f"{where} answers in {(time.perf_counter() - started) * 1000:.1f} ms")
        refused = await server_info.refused_commands(connections, settings.index)
        if refused:
            advice = "give its user the rights of deploy/valkey.acl: ACL SETUSER … as the file has them"
            yield Finding("acl", State.WRONG, f"Valkey refuses {', '.join(refused)}", advice)
        else:
            yield Finding("acl", State.GOOD, "every command that the service uses is allowed")
        try:
            for node in await server_info.nodes(connections):
                for finding in (*versions(node), persistence(node, reached), memory(node)):
                    yield finding
        except FailedPrecondition:
            yield Finding("versions", State.UNKNOWN, "Valkey refuses INFO", "allow +info, as deploy/valkey.acl does")
        if not refused:
            yield await index(settings.index, connections, model, dimension)
            if (found := await damage(settings.index, connections)) is not None:
                yield found
    finally:
        await connections.close()
