"""`memory-service mcp --http`: where the tools are served, to whom, and under which names."""

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

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve_http(
    tools: MCPServer[AsyncMemoryClient], listen: str, *, key: str, names: Sequence[str], insecure: bool
) -> None:
    """Serve streamable HTTP at /mcp until a signal ends it; wrong settings are reported in words, with exit status 1.

    Clients show `key`, where there is one. `names` are further names under which clients reach the server.
    """
    try:
        address = parse_host_port(listen, free_port=True)
    except ValueError as error:
        fail("--http", f"{error}; for example --http 127.0.0.1:8000")
    host, port = address.host, address.port
    if not (address.is_loopback or key or insecure):
        fail(
            "MEMORY_MCP_KEY",
            f"--http {listen} would serve anyone: set MEMORY_MCP_KEY (--http-key), or --insecure in a network that is "
            "safe",
        )
    if key and len(key) < SHORTEST_KEY:
        fail("MEMORY_MCP_KEY", f"it has {len(key)} characters and needs {SHORTEST_KEY}, such as: openssl rand -hex 16")
    if not names and _is_every_address(host):
        fail(
            "--http-name", f"--http {listen} has no name of its own: say how clients reach it, such as --http-name mcp"
        )
    app = tools.streamable_http_app(transport_security=_allowed(host, names))
    if key:
        app.add_middleware(AuthenticationMiddleware, backend=_Key(key), on_error=_refused)
    uvicorn.run(app, host=host, port=port, log_level="warning", proxy_headers=False, server_header=False)


class _Key(AuthenticationBackend):
    """Lets in who shows the key: authorization: Bearer …"""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        scheme, _, shown = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), self._key):
            raise AuthenticationError("send the header authorization: Bearer <MEMORY_MCP_KEY>")
        return AuthCredentials(), SimpleUser("client")


def _refused(_: HTTPConnection, error: AuthenticationError) -> Response:
    return PlainTextResponse(f"{error}\n", 401, {"www-authenticate": "Bearer"})


def _allowed(host: str, names: Sequence[str]) -> TransportSecuritySettings:
    """The names by which requests may call this server. A page whose name was pointed here (DNS rebinding) uses its
    own name."""
    own = f"[{host}]" if ":" in host else host
    hosts = [each for name in (*_LOOPBACK, own, *names) for each in (name, f"{name}:*")]
    origins = [f"{scheme}://{each}" for scheme in ("http", "https") for each in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


def _is_every_address(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
