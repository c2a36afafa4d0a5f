"""The command `memory-service`: `serve` and `demo` run a server, each other command speaks to one."""

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


class Served(StrEnum):
    """What `health` can ask about."""

    READY = "ready"
    LIVE = "live"


class Right(StrEnum):
    """What a key may do."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"


def main() -> None:
    """The entry point."""
    output.use_any_encoding()
    for argument in sys.argv[1:]:
        if not argument.isprintable() and any("\ud800" <= one <= "\udfff" for one in argument):
            output.print_error("error", f"the argument {argument!r} is not {sys.getfilesystemencoding().upper()}")
            sys.exit(2)
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # A shell can close it.
                sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer cannot be written either; Python would report that at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            output.print_error(error.filename or "standard output", error.strerror or str(error))
        sys.exit(1)


def print_version(wanted: bool) -> None:
    """Print the installed version and end."""
    if wanted:
        typer.echo(f"memory-service {version()}")
        raise typer.Exit


@app.callback()
def connection(
    token: Annotated[str, typer.Option(envvar="MEMORY_TOKEN", help="API key or token to show the server.")] = "",
    tls: Annotated[bool, typer.Option("--tls", envvar="MEMORY_TLS", help="Speak TLS.")] = False,
    ca: Annotated[Path | None, typer.Option(envvar="MEMORY_CA", help="Authorities to trust, PEM; says --tls.")] = None,
    cert: Annotated[Path | None, typer.Option(envvar="MEMORY_CERT", help="Certificate to show, PEM (mTLS).")] = None,
    key: Annotated[Path | None, typer.Option(envvar="MEMORY_KEY", help="Its private key, PEM.")] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Stores chat messages and finds them again by meaning."""
    if not (token.isascii() and token.isprintable()):
        raise typer.BadParameter("a key has printable ASCII characters only", param_hint="--token")
    client.use(client.Credentials(token=token, tls=tls or ca is not None, ca=ca, cert=cert, key=key))


@app.command()
def serve(
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve beyond this machine in plaintext, or to anyone.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that share the port, on a machine with several cores.")
    ] = None,
) -> None:
    """Run the server; settings come from MEMORY_… variables (see the README)."""
    if insecure:
        os.environ["MEMORY_INSECURE"] = "true"
    if workers is not None:
        os.environ["MEMORY_WORKERS"] = str(workers)
    # Imported here: a client needs neither an engine nor a model, and starts in half the time without them.
    from memory_service.cli.serving import run_server, serve_here_or_by_workers  # noqa: PLC0415

    run_server(serve_here_or_by_workers)


@app.command(hidden=True)
def worker(number: int) -> None:
    """Serve as one of the processes of `serve --workers`, which runs this."""
    from memory_service.cli.serving import run_server, serve_as_worker  # noqa: PLC0415

    run_server(serve_as_worker, worker=number)


@app.command()
def demo() -> None:
    """Start a server with a Valkey of its own, store three messages, search, delete, and stop."""
    from memory_service.cli.demo import run_demo  # noqa: PLC0415
    from memory_service.cli.serving import run_server  # noqa: PLC0415

    run_server(run_demo, quiet=True)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Print the settings of `serve` in this environment, passwords masked, and where each comes from."""
    from memory_service.cli.setup import show_config  # noqa: PLC0415

    show_config(as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at Valkey, its modules, rights, persistence and index, and at the embedder; say what to do about them."""
    from memory_service.cli.setup import run_doctor  # noqa: PLC0415

    run_doctor(as_json)


@app.command()
def mcp(
    user: User,
    session: Annotated[str, typer.Option("--session", "-s", help="Where what is remembered goes.")] = "mcp",
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve streamable HTTP there, not standard input.")
    ] = "",
    http_key: Annotated[
        str, typer.Option(envvar="MEMORY_MCP_KEY", help="Clients over HTTP must show it.", show_envvar=True)
    ] = "",
    http_name: Annotated[
        list[str] | None, typer.Option(help="A name under which clients reach it over HTTP; repeatable.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve anyone over HTTP, beyond this machine.")] = False,
    address: Address = SERVER,
) -> None:
    """Serve a user's memory to assistants, by the Model Context Protocol: remember, recall, forget."""
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
    listen: Annotated[str, typer.Option(help="Where to serve; 127.0.0.1:8080, or a free port, when left out.")] = "",
    admin_key: Annotated[
        str, typer.Option(envvar="MEMORY_CONSOLE_KEY", help="Whoever wants to look must show it.", show_envvar=True)
    ] = "",
    address: Address = SERVER,
) -> None:
    """Serve a web page to look at memories; on this machine alone, unless there is a key."""
    try:
        from memory_service.console.serving import run_console  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        output.fail("console", f"{error.name} is missing: {install_command(extra='console')}")
    run_console(address, client.channel_to, listen, admin_key)


@app.command()
def make_key(
    name: Annotated[str, typer.Argument(help="Who will use it, as logs name it.")],
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="Only for this user; repeatable.")] = None,
    right: Annotated[list[Right] | None, typer.Option(help="Repeatable; all but admin when left out.")] = None,
) -> None:
    """Make an API key: the key on standard error, once; its entry for the file MEMORY_API_KEYS on standard output."""
    from memory_service.access import api_keys  # noqa: PLC0415 - it brings what serving needs
    from memory_service.access.callers import Right as Granted  # noqa: PLC0415

    rights = [Granted(one) for one in right or (Right.READ, Right.WRITE, Right.DELETE)]
    key, entry = api_keys.new_key(name, user or None, rights)
    output.errors.print(f"The key, which is told only now: {key}")
    typer.echo(entry)


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
