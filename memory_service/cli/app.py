"""The commands of `memory-service`. Each does one call of the API; `serve` and `demo` run a server."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.memory.types import Algorithm, Role

app = typer.Typer(
    help="Stores chat messages and finds them again by meaning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Address = Annotated[str, typer.Option(envvar="MEMORY_ADDRESS", help="Where the server listens.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait.")]
Index = Annotated[str, typer.Option(help="The index; the server's default one when left out.")]
User = Annotated[str, typer.Option("--user", "-u", help="The user whose memories these are.")]
AllUsers = Annotated[bool, typer.Option("--all-users", help="Over the memories of every user.")]
Session = Annotated[str, typer.Option("--session", "-s", help="The session of the message.")]
Time = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")]

SERVER = "127.0.0.1:50051"


class Served(StrEnum):
    """What `health` can ask about."""

    READY = "ready"
    LIVE = "live"


def main() -> None:
    """The entry point."""
    app()


@app.command()
def serve() -> None:
    """Run the server; settings come from MEMORY_… variables (see the README)."""
    # Imported here: a client needs neither an engine nor a model, and starts in half the time without them.
    from memory_service.cli.serving import run_server  # noqa: PLC0415
    from memory_service.server import serve as run  # noqa: PLC0415

    run_server(run, log_level=logging.INFO)


@app.command()
def demo() -> None:
    """Start a server with a Valkey of its own, store three messages, search, delete, and stop."""
    from memory_service.cli.demo import run_demo  # noqa: PLC0415
    from memory_service.cli.serving import run_server  # noqa: PLC0415

    run_server(run_demo, log_level=logging.ERROR)


@app.command()
def store(
    content: Annotated[str, typer.Argument(help="The text of the message; - reads it from standard input.")],
    user: User,
    session: Session = "",
    role: Annotated[Role, typer.Option(help="Who wrote it.")] = Role.USER,
    id: Annotated[str, typer.Option(help="An id of your own, unique within the user.")] = "",  # noqa: A002
    at: Time = None,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Store one message."""
    request = pb.StoreRequest(
        index=index,
        user_id=user,
        session_id=session,
        role=f"ROLE_{role.upper()}",
        content=sys.stdin.read() if content == "-" else content,
        timestamp=_timestamp(at),
        id=id,
    )

    response = client.call(address, lambda memories: memories.Store(request, timeout=timeout))
    if as_json:
        output.print_json(response)
    else:
        was = "was stored already as" if response.already_stored else "stored"
        output.console.print(was, response.id)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    user: User = "",
    all_users: AllUsers = False,
    session: Annotated[list[str] | None, typer.Option("--session", "-s", help="Only this session; repeatable.")] = None,
    role: Annotated[list[Role] | None, typer.Option(help="Only this role; repeatable.")] = None,
    since: Time = None,
    until: Time = None,
    k: Annotated[int, typer.Option("-k", min=0, help="At most this many hits.")] = 5,
    min_score: Annotated[float | None, typer.Option(help="Leave out hits with a lower score.")] = None,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Find messages by meaning, best first, as they arrive."""
    request = pb.SearchRequest(
        index=index,
        query_text=query,
        filter=memory_pb2.MemoryFilter(
            user_id=user,
            all_users=all_users,
            session_ids=session or [],
            roles=[f"ROLE_{one.upper()}" for one in role or []],
            start_time=_timestamp(since),
            end_time=_timestamp(until),
        ),
        k=k,
        min_score=min_score,
    )

    async def command(memories: client.Stub) -> None:
        async for response in memories.Search(request, timeout=timeout):
            if as_json:
                output.print_json(response)
                continue
            for hit in response.hits:
                output.print_hit(hit)
            if response.HasField("summary"):
                output.print_summary(response.summary)

    client.call(address, command)


@app.command()
def get(
    id: Annotated[str, typer.Argument(help="The id of the memory.")],  # noqa: A002
    user: User = "",
    all_users: AllUsers = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Show one memory."""
    request = pb.GetRequest(index=index, user_id=user, all_users=all_users, id=id)

    response = client.call(address, lambda memories: memories.Get(request, timeout=timeout))
    if as_json:
        output.print_json(response.memory)
    else:
        output.print_memory(response.memory)


@app.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="The ids of the memories.")],
    user: User = "",
    all_users: AllUsers = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Delete memories."""
    request = pb.DeleteRequest(index=index, user_id=user, all_users=all_users, ids=ids)

    response = client.call(address, lambda memories: memories.Delete(request, timeout=timeout))
    if as_json:
        output.print_json(response)
        return
    for one in response.deleted_ids:
        output.console.print("deleted", one)
    for one in response.missing_ids:
        output.console.print("not there", one, style="yellow")


@app.command()
def ensure_index(
    index: Annotated[str, typer.Argument(help="The index; the server's default one when left out.")] = "",
    dimension: Annotated[int | None, typer.Option(min=0, help="Numbers in each embedding.")] = None,
    model: Annotated[str, typer.Option(help="The model of the embeddings, when callers bring them.")] = "",
    algorithm: Annotated[list[Algorithm] | None, typer.Option(help="Repeatable; both when left out.")] = None,
    address: Address = SERVER,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Create an index, or check that it is as asked."""
    request = pb.EnsureIndexRequest(
        index=index,
        dimension=dimension,
        embedding_model=model,
        algorithms=[f"ALGORITHM_{one}" for one in algorithm or []],
    )

    response = client.call(address, lambda memories: memories.EnsureIndex(request, timeout=timeout))
    if as_json:
        output.print_json(response)
    else:
        output.console.print("created" if response.created else "already as asked")
        output.print_indexes([response.index])


@app.command()
def indexes(address: Address = SERVER, timeout: Timeout = 30.0, as_json: AsJson = False) -> None:
    """List the indexes."""

    response = client.call(address, lambda memories: memories.ListIndexes(pb.ListIndexesRequest(), timeout=timeout))
    if as_json:
        output.print_json(response)
    elif response.indexes:
        output.print_indexes(response.indexes)
    else:
        output.console.print("no index yet: memory-service ensure-index")


@app.command()
def health(
    what: Annotated[Served, typer.Argument(help="Ready for calls, or alive.")] = Served.READY,
    address: Address = SERVER,
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Tell whether the server is ready; exit with status 1 when it is not."""
    service = "semantic_memory.v1.MemoryService" if what is Served.READY else ""

    async def command(_: client.Stub) -> health_pb2.HealthCheckResponse:
        async with grpc.aio.insecure_channel(address) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            response: health_pb2.HealthCheckResponse = await health_pb2_grpc.HealthStub(channel).Check(
                request, timeout=timeout
            )
            return response

    status = health_pb2.HealthCheckResponse.ServingStatus.Name(client.call(address, command).status)
    output.console.print(json.dumps({"status": status}) if as_json else status)
    if status != "SERVING":
        raise typer.Exit(1)


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(moment.replace(tzinfo=UTC))
    return timestamp
