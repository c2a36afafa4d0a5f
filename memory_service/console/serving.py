"""`memory-service console`: where the page is served, and to whom."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import uvicorn

from memory_service.addresses import parse_host_port
from memory_service.cli.output import console, fail
from memory_service.console.app import application
from memory_service.console.guard import SHORTEST_KEY, is_loopback

USUAL_PORT = 8080


def run_console(address: str, connect: Callable[[str], grpc.aio.Channel], listen: str, key: str) -> None:
    """Serve until a signal ends it; what is wrong with the settings is told in words, with exit status 1."""
    # The page shows what went wrong; gRPC's own lines would repeat it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    host, port = _host_and_port(listen or f"127.0.0.1:{USUAL_PORT}")
    if not is_loopback(host) and not key:
        fail(
            "MEMORY_CONSOLE_KEY", f"beyond this machine ({host}) the console wants a key: --admin-key, or this variable"
        )
    if key and len(key) < SHORTEST_KEY:
        fail(
            "MEMORY_CONSOLE_KEY",
            f"it has {len(key)} characters and needs {SHORTEST_KEY}, such as: openssl rand -hex 16",
        )
    try:
        bound = _bound(host, port, or_any=not listen)
    except OSError as error:
        fail("--listen", f"cannot listen on {host}:{port}: {error.strerror or error}")
    console.print(f"The console of {address} is at {_url(bound)} (Ctrl-C ends it)")
    asyncio.run(_serve(address, connect, bound, key))


async def _serve(address: str, connect: Callable[[str], grpc.aio.Channel], bound: socket.socket, key: str) -> None:
    await _server(address, connect, key).serve(sockets=[bound])


@asynccontextmanager
async def serving(address: str, connect: Callable[[str], grpc.aio.Channel], key: str = "") -> AsyncIterator[str]:
    """A console on a free port of loopback, while the context is open: its URL."""
    bound = _bound("127.0.0.1", 0, or_any=False)
    server = _server(address, connect, key)
    # Whoever comes before it is up waits in the socket's queue.
    running = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield _url(bound)
    finally:
        server.should_exit = True
        await running


def _server(address: str, connect: Callable[[str], grpc.aio.Channel], key: str) -> uvicorn.Server:
    config = uvicorn.Config(
        application(address, connect, key),
        access_log=False,  # addresses of pages hold what people search for
        http="h11",
        limit_concurrency=200,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ws="none",
    )
    return uvicorn.Server(config)


def _bound(host: str, port: int, *, or_any: bool) -> socket.socket:
    """A socket that listens there, or where it is taken and that is well, on any free port."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        if not or_any:
            raise
        return socket.create_server((host, 0))


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _host_and_port(listen: str) -> tuple[str, int]:
    try:
        address = parse_host_port(listen, free_port=True)
    except ValueError as error:
        fail("--listen", f"{error}; for example 127.0.0.1:{USUAL_PORT}")
    return address.host, address.port
