"""Access control: the login key, checks of Host and Origin, and security headers."""

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import time
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "memory_console"
SHORTEST_KEY = 16
"""Minimum length of a key in characters: too long to guess over a network."""

_SESSION_SECONDS = 12 * 3600
_MAX_SESSIONS = 1000
_PUBLIC_PATHS = ("/login", "/static/")
_WRONG_KEY_DELAY = 1.0
"""Seconds until a wrong key is rejected. Until then it counts as a pending guess."""
_MAX_PENDING_GUESSES = 10

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


class Sessions:
    """Login sessions. They are kept in memory and end with the process."""

    def __init__(self, key: str) -> None:
        self._key = _digest(key)
        self._expiries: dict[bytes, float] = {}
        self._pending_guesses = 0

    async def check_key(self, key: str) -> bool:
        """Whether the key is right, compared in constant time.

        Raises:
            HTTPException: with status 429 when too many wrong keys were sent within a second.
        """
        if self._pending_guesses >= _MAX_PENDING_GUESSES:
            raise HTTPException(429, "Too many wrong keys. Retry in a second.", {"retry-after": "1"})
        correct = hmac.compare_digest(_digest(key), self._key)
        if not correct:
            self._pending_guesses += 1
            asyncio.get_running_loop().call_later(_WRONG_KEY_DELAY, self._end_guess)
            await asyncio.sleep(_WRONG_KEY_DELAY)
        return correct

    def _end_guess(self) -> None:
        self._pending_guesses -= 1

    def _new_token(self) -> str:
        """Create a session and return its token."""
        now = time.monotonic()
        self._expiries = {one: expiry for one, expiry in self._expiries.items() if expiry > now}
        if len(self._expiries) >= _MAX_SESSIONS:
            del self._expiries[min(self._expiries, key=self._expiries.__getitem__)]
        token = secrets.token_urlsafe(32)
        self._expiries[_digest(token)] = now + _SESSION_SECONDS
        return token

    def is_active(self, token: str) -> bool:
        """Whether the token belongs to a session that has not expired."""
        return self._expiries.get(_digest(token), 0) > time.monotonic()

    def end(self, token: str) -> None:
        """End the session."""
        self._expiries.pop(_digest(token), None)

    def start(self, response: Response, request: Request) -> Response:
        """Start a session, and set its cookie in the response."""
        response.set_cookie(
            COOKIE,
            self._new_token(),
            max_age=_SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            # A proxy terminates TLS, so that only the Origin shows whether the browser uses it.
            secure=request.headers.get("origin", "").startswith("https:"),
        )
        return response


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
    # Over plain HTTP to another machine, browsers send only Origin. A request without it is no form of the console.
    origin = headers.get("origin", "").partition("://")[2]
    return bool(origin) and origin == headers.get("host")


def _host_of(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _error(status: int, message: str) -> Response:
    return PlainTextResponse(f"{message}\n", status)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
