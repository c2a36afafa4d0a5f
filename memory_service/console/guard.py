"""Access control: checks of Host, Origin and the login session, and security headers."""

import ipaddress
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_service.console.sessions import COOKIE, Sessions

SHORTEST_KEY = 16
"""Minimum length of a key in characters: too long to guess over a network."""

_PUBLIC_PATHS = ("/login", "/static/")

_HEADERS = {
    # No other host and nothing inline: markup in a memory does nothing even if a template fails to escape it.
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With no-referrer, browsers would send "Origin: null" with forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Whether the host is localhost or a loopback address. Any other name may be under an attacker's DNS."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Middleware that accepts requests from the console's own pages. With a key it also requires a login session."""

    def __init__(self, app: ASGIApp, sessions: Sessions | None) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        app = self._rejection(Request(scope)) or self._app
        await app(scope, receive, send_with_headers)

    def _rejection(self, request: Request) -> Response | None:
        if self._sessions is None and not is_loopback(_host_of(request.headers)):
            # A foreign page whose host name now resolves to this machine (DNS rebinding).
            return _error(
                421,
                "Without a key, the console serves only localhost and 127.0.0.1. Set MEMORY_CONSOLE_KEY for others.",
            )
        if not _is_same_site_request(request):
            return _error(403, "This request came from another site and was rejected.")
        if self._sessions is None or request.url.path.startswith(_PUBLIC_PATHS):
            return None
        if self._sessions.is_active(request.cookies.get(COOKIE, "")):
            return None
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': target})}" if request.method == "GET" else "/login", 303)


def _is_same_site_request(request: Request) -> bool:
    """Whether no foreign page made the request. A link from a foreign page to the console is accepted."""
    headers = request.headers
    site = headers.get("sec-fetch-site")
    if request.method in {"GET", "HEAD"}:
        navigated = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return site in {None, "same-origin", "none"} or navigated
    if site is not None:
        return site == "same-origin"
    # Over plain HTTP to another machine, browsers send only Origin. A request without it is not from the console.
    origin = headers.get("origin", "").partition("://")[2]
    return bool(origin) and origin == headers.get("host")


def _host_of(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _error(status: int, message: str) -> Response:
    return PlainTextResponse(f"{message}\n", status)
