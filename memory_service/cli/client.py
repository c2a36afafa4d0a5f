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
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from memory_service.cli.output import print_error

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
    if status is None and (hint := _HINTS.get(error.code())):
        print_error("hint", hint)
