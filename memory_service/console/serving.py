"""`memory-service console`: listen on an address and serve the console."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import uvicorn

from memory_service.addresses import parse_host_port
from memory_service.cli.output import console, fail
from memory_service.console.app import application
from memory_service.console.guard import SHORTEST_KEY, is_loopback
from memory_service.listen_address import cannot_listen

DEFAULT_PORT = 8080


def run_console(address: str, connect: Callable[[str], grpc.aio.Channel], listen: str, key: str) -> None:
    """Serve until a signal ends the process. An invalid setting prints an error and exits with status 1."""
    host, port = _host_and_port(listen or f"127.0.0.1:{DEFAULT_PORT}")
    if not is_loopback(host) and not key:
        fail(
            "MEMORY_CONSOLE_KEY",
            f"other machines can reach {host}, so the console needs a key: set this variable or --admin-key",
        )
    if key and len(key) < SHORTEST_KEY:
        fail(
            "MEMORY_CONSOLE_KEY",
            f"the key has {len(key)} characters and needs at least {SHORTEST_KEY}: use openssl rand -hex 16",
        )
    try:
        listener = _listener(host, port, any_port_if_taken=not listen)
    except OSError as error:
        _, _, message = str(cannot_listen("--listen", listen, error)).partition(": ")
        fail("--listen", message)
    console.print(f"The console of {address} is at {_url(listener)} (press Ctrl-C to stop)")
    asyncio.run(_serve(address, connect, listener, key))


async def _serve(address: str, connect: Callable[[str], grpc.aio.Channel], listener: socket.socket, key: str) -> None:
    await _server(address, connect, key).serve(sockets=[listener])


@asynccontextmanager
async def serving(address: str, connect: Callable[[str], grpc.aio.Channel], key: str = "") -> AsyncIterator[str]:
    """Serve a console on a free loopback port while the context is open, and yield its URL."""
    listener = _listener("127.0.0.1", 0, any_port_if_taken=False)
    server = _server(address, connect, key)
    # Connections made before the server runs wait in the socket's queue.
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield _url(listener)
    finally:
        server.should_exit = True
        await running


def _server(address: str, connect: Callable[[str], grpc.aio.Channel], key: str) -> uvicorn.Server:
    config = uvicorn.Config(
        application(address, connect, key),
        access_log=False,  # page addresses contain search queries
        http="h11",
        limit_concurrency=200,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ws="none",
    )
    return uvicorn.Server(config)


def _listener(host: str, port: int, *, any_port_if_taken: bool) -> socket.socket:
    """A socket that listens on the address. If the port is taken, it may use any free port instead."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        if not any_port_if_taken:
            raise
        return socket.create_server((host, 0))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _host_and_port(listen: str) -> tuple[str, int]:
    try:
        address = parse_host_port(listen, free_port=True)
    except ValueError as error:
        fail("--listen", f"{error}; for example 127.0.0.1:{DEFAULT_PORT}")
    return address.host, address.port
