"""The commands of `memory-service` except those for memories, indexes and files."""

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from memory_service.cli import client, indexes, memories, output, search, transfer
from memory_service.cli.options import SERVER, Address, AsJson, Timeout, User
from memory_service.distribution import install_command, version

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (memories, search, indexes, transfer):
    app.add_typer(module.commands)


class HealthCheck(StrEnum):
    """A health check."""

    READY = "ready"
    LIVE = "live"


class Right(StrEnum):
    """A right of an API key."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"


def main() -> None:
    """Run the command line."""
    output.escape_unencodable()
    for argument in sys.argv[1:]:
        if not argument.isprintable() and any("\ud800" <= character <= "\udfff" for character in argument):
            output.print_error("error", f"the argument {argument!r} is not {sys.getfilesystemencoding().upper()}")
            sys.exit(2)
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # A shell can start it with a closed standard output.
                sys.stdout.flush()
    except OSError as error:
        # The rest of the buffer would fail as well, and Python would report that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            output.print_error(error.filename or "standard output", error.strerror or str(error))
        sys.exit(1)


def print_version(wanted: bool) -> None:
    """Print the installed version and exit."""
    if wanted:
        typer.echo(f"memory-service {version()}")
        raise typer.Exit


@app.callback()
def connection(
    token: Annotated[str, typer.Option(envvar="MEMORY_TOKEN", help="The API key or token to send.")] = "",
    tls: Annotated[bool, typer.Option("--tls", envvar="MEMORY_TLS", help="Connect with TLS.")] = False,
    ca: Annotated[
        Path | None, typer.Option(envvar="MEMORY_CA", help="Trusted authorities, a PEM file; implies --tls.")
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(envvar="MEMORY_CERT", help="The client certificate, a PEM file (mTLS).")
    ] = None,
    key: Annotated[Path | None, typer.Option(envvar="MEMORY_KEY", help="Its private key, a PEM file.")] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Store chat messages and search them by meaning."""
    if not (token.isascii() and token.isprintable()):
        raise typer.BadParameter("use printable ASCII characters only", param_hint="--token")
    client.use(client.Credentials(token=token, tls=tls or ca is not None, ca=ca, cert=cert, key=key))


@app.command()
def serve(
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow other machines to connect in plaintext or without credentials.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Server processes that share the port, for several cores (Linux).")
    ] = None,
) -> None:
    """Run the server. Its settings are the MEMORY_… environment variables: see `memory-service config`."""
    if insecure:
        os.environ["MEMORY_INSECURE"] = "true"
    if workers is not None:
        os.environ["MEMORY_WORKERS"] = str(workers)
    # Imported here: other commands start in half the time without an engine and a model.
    from memory_service.cli.serving import run_server, serve_here_or_by_workers  # noqa: PLC0415

    run_server(serve_here_or_by_workers)


@app.command(hidden=True)
def worker(number: int) -> None:
    """Run one server process of `serve --workers`."""
    from memory_service.cli.serving import run_server, serve_as_worker  # noqa: PLC0415

    run_server(serve_as_worker, worker=number)


@app.command()
def demo() -> None:
    """Start a temporary server and Valkey, store three messages, search them, delete one, and stop."""
    from memory_service.cli.demo import run_demo  # noqa: PLC0415
    from memory_service.cli.serving import run_server  # noqa: PLC0415

    run_server(run_demo, quiet=True)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Print the settings of `serve` and the source of each; passwords are masked."""
    from memory_service.cli.setup import show_config  # noqa: PLC0415

    show_config(as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check Valkey, its modules, permissions, persistence and index, and the embedder.

    Exit status: 0 all is well or only at risk, 1 something is wrong, 3 something could not be checked.
    """
    from memory_service.cli.setup import run_doctor  # noqa: PLC0415

    run_doctor(as_json)


@app.command("reindex-text")
def reindex_text(index: Annotated[str, typer.Option(help="The index; default: MEMORY_INDEX.")] = "") -> None:
    """Give memories that earlier versions stored the words of this version. Uses MEMORY_VALKEY_URL, as `serve` does."""
    from memory_service.cli.reindexing import run_reindex_text  # noqa: PLC0415 - it imports what serving needs

    run_reindex_text(index)


@app.command()
def mcp(
    user: User,
    session: Annotated[str, typer.Option("--session", "-s", help="The session of stored memories.")] = "mcp",
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve streamable HTTP at this address instead of standard input.")
    ] = "",
    http_key: Annotated[
        str, typer.Option(envvar="MEMORY_MCP_KEY", help="The key that HTTP clients must send.", show_envvar=True)
    ] = "",
    http_name: Annotated[
        list[str] | None, typer.Option(help="A host name under which HTTP clients reach this server; repeatable.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow HTTP clients on other machines without a key.")
    ] = False,
    address: Address = SERVER,
) -> None:
    """Serve the memories of a user over the Model Context Protocol: tools to remember, recall and forget."""
    try:
        from memory_service.cli.mcp import memory_tools  # noqa: PLC0415 - an extra
        from memory_service.cli.mcp_http import serve_http  # noqa: PLC0415 - the same
    except ImportError as error:
        output.print_error("error", f"{error.name} is missing: {install_command(extra='mcp')}")
        raise typer.Exit(1) from error
    tools = memory_tools(lambda: client.memory_client(address), user, session)
    if not http:
        tools.run("stdio")
        return
    serve_http(tools, http, key=http_key, names=http_name or [], insecure=insecure)


@app.command()
def console(
    listen: Annotated[str, typer.Option(help="HOST:PORT to serve at; by default 127.0.0.1:8080, or a free port.")] = "",
    admin_key: Annotated[
        str,
        typer.Option(envvar="MEMORY_CONSOLE_KEY", help="The key that users of the page must enter.", show_envvar=True),
    ] = "",
    address: Address = SERVER,
) -> None:
    """Serve a web page to view memories. Without a key only this machine can open it."""
    try:
        from memory_service.console.serving import run_console  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        output.fail("console", f"{error.name} is missing: {install_command(extra='console')}")
    run_console(address, client.channel_to, listen, admin_key)


@app.command()
def make_key(
    name: Annotated[str, typer.Argument(help="The name of the caller in logs.")],
    user: Annotated[
        list[str] | None, typer.Option("--user", "-u", help="Restrict the key to this user; repeatable.")
    ] = None,
    right: Annotated[
        list[Right] | None, typer.Option(help="A right of the key; repeatable; by default all but admin.")
    ] = None,
) -> None:
    """Create an API key. Standard error shows the key, once; standard output gets its entry for MEMORY_API_KEYS."""
    from memory_service.access import api_keys  # noqa: PLC0415 - it imports what serving needs
    from memory_service.access.callers import Right as Granted  # noqa: PLC0415

    rights = [Granted(value) for value in right or (Right.READ, Right.WRITE, Right.DELETE)]
    key, entry = api_keys.new_key(name, user or None, rights)
    output.errors.print(f"The key, which is not shown again: {key}")
    typer.echo(entry)


@app.command()
def health(
    what: Annotated[HealthCheck, typer.Argument(help="Readiness for calls, or liveness.")] = HealthCheck.READY,
    address: Address = SERVER,
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Print whether the server is ready; the exit status is 1 if it is not."""
    service = "semantic_memory.v1.MemoryService" if what is HealthCheck.READY else ""

    async def command(_: client.Stub) -> health_pb2.HealthCheckResponse:
        async with client.channel_to(address) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            response: health_pb2.HealthCheckResponse = await health_pb2_grpc.HealthStub(channel).Check(
                request, timeout=timeout
            )
            return response

    status = health_pb2.HealthCheckResponse.ServingStatus.Name(client.call(address, command).status)
    output.console.print(json.dumps({"status": status}) if as_json else status)
    if status != "SERVING":
        raise typer.Exit(1)
