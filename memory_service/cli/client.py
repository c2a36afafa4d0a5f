"""API calls of the commands: channels with credentials, retries, and readable errors."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
import typer
from semantic_memory import TLS, AsyncMemoryClient
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from memory_service.cli.errors import describe_for_command
from memory_service.cli.output import print_error

if TYPE_CHECKING:
    from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

    Stub = MemoryServiceAsyncStub
else:  # One class serves both kinds of channel; only the type checker knows two.
    Stub = MemoryServiceStub

T = TypeVar("T")

RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""Codes of temporary errors: a retry of the same call may succeed."""
RETRY_DELAYS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts: enough for a server to restart."""

# Room for a hit with a context of the longest messages: four times gRPC's default.
_OPTIONS = [("grpc.max_receive_message_length", 16 * 2**20)]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials of calls. `ca`, `cert` and `key` are PEM files; `ca` replaces the authorities of the system."""

    token: str = ""
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


_credentials = Credentials()


def use(credentials: Credentials) -> None:
    """Send these credentials with all calls of this process."""
    global _credentials  # noqa: PLW0603 - a process runs one command
    _credentials = credentials


def channel_to(address: str) -> grpc.aio.Channel:
    """Open a channel to the server at this address."""
    credentials = _credentials
    if not credentials.tls:
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=_interceptors(credentials.token))
    files = [
        None if file is None else file.read_bytes() for file in (credentials.ca, credentials.key, credentials.cert)
    ]
    return grpc.aio.secure_channel(
        address, grpc.ssl_channel_credentials(*files), options=_OPTIONS, interceptors=_interceptors(credentials.token)
    )


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Stub]:
    """Yield a stub for the server at this address."""
    async with channel_to(address) as channel:
        yield cast("Stub", MemoryServiceStub(channel))


def memory_client(address: str) -> AsyncMemoryClient:
    """Return a client for long-running use: it retries calls and follows the health of the server."""
    credentials = _credentials
    tls = TLS(credentials.ca, credentials.cert, credentials.key) if credentials.tls else None
    return AsyncMemoryClient(address, tls=tls, token=credentials.token)


class _UnaryBearer(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends the token with every unary call."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_with_token(client_call_details, self._token), request)


class _StreamBearer(grpc.aio.UnaryStreamClientInterceptor):
    """Sends the token with every stream."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_with_token(client_call_details, self._token), request)


def _with_token(details: Any, token: str) -> Any:
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {token}")))


def _interceptors(token: str) -> list[grpc.aio.ClientInterceptor]:
    # Two classes: grpc.aio uses an interceptor for only one kind of call, the first that it implements.
    return [_UnaryBearer(token), _StreamBearer(token)] if token else []


def call(address: str, command: Callable[[Stub], Awaitable[T]]) -> T:
    """Run a command against the server. On an error, print it and exit with status 1."""

    async def run() -> T:
        async with connect(address) as memories:
            return await command(memories)

    try:
        return asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        show_error(error, address)
        raise typer.Exit(1) from error


async def retry(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that is safe to repeat; retry with growing delays while the server or its backends are unavailable or
    overloaded."""
    for delay in RETRY_DELAYS:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRYABLE:
                raise
        # Jitter spreads the retries of clients that failed together.
        await asyncio.sleep(delay * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
    return await call()


def show_error(error: grpc.aio.AioRpcError, address: str) -> None:
    """Print an error of a call to this address."""
    for subject, text in describe_for_command(error, address):
        print_error(subject, text)
