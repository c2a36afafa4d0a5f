"""Who may look, and which requests come from the console's own pages: hosts, origins, the key, and headers."""

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
"""Characters: what guessing over a network does not find."""

_SESSION_SECONDS = 12 * 3600
_MOST_SESSIONS = 1000
_OPEN_PATHS = ("/login", "/static/")
_GUESS_SECONDS = 1.0
"""How long a wrong key takes to be told; meanwhile it is one of the guesses in hand."""
_MOST_GUESSES = 10

_HEADERS = {
    # Nothing from elsewhere, nothing inline: text that looks like markup stays text even where a template errs.
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not no-referrer, which would make the Origin of forms null.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its own name: no name that a stranger's DNS could point here."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Sessions:
    """Who has shown the key. A restart forgets them."""

    def __init__(self, key: str) -> None:
        self._key = _digest(key)
        self._ends: dict[bytes, float] = {}
        self._guesses = 0

    async def opens(self, key: str) -> bool:
        """Whether this is the key, in a time that does not tell how much of it is right.

        Raises HTTPException (429): too many were wrong just now to look at another one.
        """
        if self._guesses >= _MOST_GUESSES:
            raise HTTPException(429, "Too many wrong keys: try again in a second.", {"retry-after": "1"})
        right = hmac.compare_digest(_digest(key), self._key)
        if not right:
            self._guesses += 1
            asyncio.get_running_loop().call_later(_GUESS_SECONDS, self._guessed)
            await asyncio.sleep(_GUESS_SECONDS)
        return right

    def _guessed(self) -> None:
        self._guesses -= 1

    def begin(self) -> str:
        """A new session's token."""
        now = time.monotonic()
        self._ends = {one: end for one, end in self._ends.items() if end > now}
        if len(self._ends) >= _MOST_SESSIONS:
            del self._ends[min(self._ends, key=self._ends.__getitem__)]
        token = secrets.token_urlsafe(32)
        self._ends[_digest(token)] = now + _SESSION_SECONDS
        return token

    def holds(self, token: str) -> bool:
        """Whether the session goes on."""
        return self._ends.get(_digest(token), 0) > time.monotonic()

    def end(self, token: str) -> None:
        """Forget the session."""
        self._ends.pop(_digest(token), None)

    def welcome(self, response: Response, request: Request) -> Response:
        """Begin a session with this answer."""
        response.set_cookie(
            COOKIE,
            self.begin(),
            max_age=_SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            # TLS is the proxy's: the browser says by what it came.
            secure=request.headers.get("origin", "").startswith("https:"),
        )
        return response


class Guard:
    """Lets in what comes from the console's own pages, and, where there is a key, from who has shown it."""

    def __init__(self, app: ASGIApp, sessions: Sessions | None) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        app = self._refusal(Request(scope)) or self._app
        await app(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        if self._sessions is None and not is_loopback(_host_of(request.headers)):
            # A page of a stranger's, whose name now points to this machine (DNS rebinding).
            return _refused(421, "This console answers to localhost and 127.0.0.1. Under another name it wants a key.")
        if not _comes_from_here(request):
            return _refused(403, "This request was sent by another site's page, and is refused.")
        if self._sessions is None or request.url.path.startswith(_OPEN_PATHS):
            return None
        if self._sessions.holds(request.cookies.get(COOKIE, "")):
            return None
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': asked})}" if request.method == "GET" else "/login", 303)


def _comes_from_here(request: Request) -> bool:
    """Whether no other site's page is behind the request; following a link to here is well."""
    headers = request.headers
    site = headers.get("sec-fetch-site")
    if request.method in {"GET", "HEAD"}:
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return site in {None, "same-origin", "none"} or followed
    if site is not None:
        return site == "same-origin"
    # Over plain HTTP, beyond this machine, browsers say no more than this; whoever says nothing is no page of ours.
    origin = headers.get("origin", "").partition("://")[2]
    return bool(origin) and origin == headers.get("host")


def _host_of(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
