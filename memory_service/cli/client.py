"""The client's side of the commands: calls, and their errors in words."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
import typer
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory import TLS, AsyncMemoryClient
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from memory_service.cli.output import print_error

if TYPE_CHECKING:
    from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

    Stub = MemoryServiceAsyncStub
else:  # One class serves both kinds of channel; only its types come apart.
    Stub = MemoryServiceStub

T = TypeVar("T")

TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What may be gone when the same call is made again."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts: enough for a server that starts again."""

# A hit whose whole context is of the longest contents: four times what gRPC takes by itself.
_OPTIONS = [("grpc.max_receive_message_length", 16 * 2**20)]

_HINTS = {
    grpc.StatusCode.UNAVAILABLE: "Is the server running? Start it with: memory-service serve",
    grpc.StatusCode.UNAUTHENTICATED: "Show a key: memory-service --token …, or MEMORY_TOKEN",
    grpc.StatusCode.UNIMPLEMENTED: "This server is not a semantic_memory.v1 server, or an older one.",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to show a server, and how to know it. Without `tls` it is spoken to in plaintext; `ca` are the authorities
    to trust instead of the system's, a PEM file as the others."""

    token: str = ""
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


_credentials = Credentials()


def use(credentials: Credentials) -> None:
    """Let all calls of this process show these."""
    global _credentials  # noqa: PLW0603 - a process is one command
    _credentials = credentials


def channel_to(address: str) -> grpc.aio.Channel:
    """A channel to the server at this address."""
    shown = _credentials
    if not shown.tls:
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=_bearers(shown.token))
    files = [None if one is None else one.read_bytes() for one in (shown.ca, shown.key, shown.cert)]
    credentials = grpc.ssl_channel_credentials(*files)
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS, interceptors=_bearers(shown.token))


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Stub]:
    """A stub for the server at this address."""
    async with channel_to(address) as channel:
        yield cast("Stub", MemoryServiceStub(channel))


def memory_client(address: str) -> AsyncMemoryClient:
    """A client of the server at this address, for what runs long: it repeats calls, and follows health."""
    shown = _credentials
    tls = TLS(shown.ca, shown.cert, shown.key) if shown.tls else None
    return AsyncMemoryClient(address, tls=tls, token=shown.token)


class _UnaryBearer(grpc.aio.UnaryUnaryClientInterceptor):
    """Shows the token with every unary call."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_showing(client_call_details, self._token), request)


class _StreamBearer(grpc.aio.UnaryStreamClientInterceptor):
    """Shows the token with every stream."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_showing(client_call_details, self._token), request)


def _showing(details: Any, token: str) -> Any:
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {token}")))


def _bearers(token: str) -> list[grpc.aio.ClientInterceptor]:
    # Two classes: grpc.aio takes an interceptor for the first kind alone that it is an instance of.
    return [_UnaryBearer(token), _StreamBearer(token)] if token else []


def call(address: str, command: Callable[[Stub], Awaitable[T]]) -> T:
    """Run a command against the server; print an error in words and exit with status 1."""

    async def run() -> T:
        async with connect(address) as memories:
            return await command(memories)

    # gRPC's own log lines repeat what the error says.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        show_error(error)
        raise typer.Exit(1) from error


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call that may be made again: a few times, with growing pauses, while the server or what is behind
    it is away or has too much to do."""
    for pause in PAUSES:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in TRANSIENT:
                raise
        # Clients that failed together come back apart.
        await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
    return await call()


def show_error(error: grpc.aio.AioRpcError) -> None:
    """An error as a person reads it: what, where, and what to do."""
    print_error(error.code().name, str(error.details()))
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad, unmet = error_details_pb2.BadRequest(), error_details_pb2.PreconditionFailure()
        if detail.Unpack(bad):
            for one in bad.field_violations:
                print_error(f"  {one.field or 'request'}", one.description)
        elif detail.Unpack(unmet):
            for violation in unmet.violations:
                print_error(f"  {violation.subject}", violation.description)
    # What the other side of the network says has details or, from gRPC itself, a debug string.
    if status is None and error.debug_error_string() and (hint := _HINTS.get(error.code())):
        print_error("hint", hint)
