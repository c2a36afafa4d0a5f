"""The client's side of the commands: one call, and its errors in words."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
import typer
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rich.console import Console
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

if TYPE_CHECKING:
    from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

    Stub = MemoryServiceAsyncStub
else:  # One class serves both kinds of channel; only its types come apart.
    Stub = MemoryServiceStub

T = TypeVar("T")

_HINTS = {
    grpc.StatusCode.UNAVAILABLE: "Is the server running? Start it with: memory-service serve",
    grpc.StatusCode.UNIMPLEMENTED: "This server is not a semantic_memory.v1 server, or an older one.",
}


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Stub]:
    """A stub for the server at this address."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield cast("Stub", MemoryServiceStub(channel))


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


def show_error(error: grpc.aio.AioRpcError) -> None:
    """An error as a person reads it: what, where, and what to do."""
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]{error.code().name}[/]: {error.details()}", soft_wrap=True)
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad, unmet = error_details_pb2.BadRequest(), error_details_pb2.PreconditionFailure()
        if detail.Unpack(bad):
            for one in bad.field_violations:
                console.print(f"  [yellow]{one.field or 'request'}[/]: {one.description}", soft_wrap=True)
        elif detail.Unpack(unmet):
            for violation in unmet.violations:
                console.print(f"  [yellow]{violation.subject}[/]: {violation.description}", soft_wrap=True)
    if status is None and (hint := _HINTS.get(error.code())):
        console.print(hint)
