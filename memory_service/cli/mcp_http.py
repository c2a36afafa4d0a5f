"""The command `mcp --http`: the address, the key and the host names of the server."""

import hmac
from collections.abc import Sequence
from ipaddress import ip_address

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from semantic_memory import AsyncMemoryClient
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from memory_service.addresses import parse_host_port
from memory_service.cli.output import fail
from memory_service.console.guard import SHORTEST_KEY
from memory_service.listen_address import check_address

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve_http(
    tools: MCPServer[AsyncMemoryClient], listen: str, *, key: str, names: Sequence[str], insecure: bool
) -> None:
    """Serve streamable HTTP at /mcp until a signal stops it; exit with status 1 if an option is wrong.

    If `key` is set, clients must send it. `names` are more host names under which clients reach the server.
    """
    try:
        address = parse_host_port(listen, free_port=True)
    except ValueError as error:
        fail("--http", f"{error}; for example --http 127.0.0.1:8000")
    host, port = address.host, address.port
    if not (address.is_loopback or key or insecure):
        fail(
            "MEMORY_MCP_KEY",
            f"--http {listen} would serve anyone: set MEMORY_MCP_KEY (--http-key), or --insecure in a private network",
        )
    if key and len(key) < SHORTEST_KEY:
        fail(
            "MEMORY_MCP_KEY",
            f"it has {len(key)} characters and needs {SHORTEST_KEY}: create one with openssl rand -hex 16",
        )
    if not names and _is_every_address(host):
        fail("--http-name", f"--http {listen} names no host: set the name that clients use, such as --http-name mcp")
    try:
        check_address("--http", str(address))
    except OSError as error:
        fail("error", str(error))
    app = tools.streamable_http_app(transport_security=_allowed(host, names))
    if key:
        app.add_middleware(AuthenticationMiddleware, backend=_Key(key), on_error=_refused)
    uvicorn.run(app, host=host, port=port, log_level="warning", proxy_headers=False, server_header=False)


class _Key(AuthenticationBackend):
    """Accepts requests with the key as `authorization: Bearer …`."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        scheme, _, sent = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), self._key):
            raise AuthenticationError("send the header authorization: Bearer <MEMORY_MCP_KEY>")
        return AuthCredentials(), SimpleUser("client")


def _refused(_: HTTPConnection, error: AuthenticationError) -> Response:
    return PlainTextResponse(f"{error}\n", 401, {"www-authenticate": "Bearer"})


def _allowed(host: str, names: Sequence[str]) -> TransportSecuritySettings:
    """Return the host names that requests may use. An attacker's page that reaches this server by DNS rebinding uses
    another name."""
    own = f"[{host}]" if ":" in host else host
    hosts = [each for name in (*_LOOPBACK, own, *names) for each in (name, f"{name}:*")]
    origins = [f"{scheme}://{each}" for scheme in ("http", "https") for each in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


def _is_every_address(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
