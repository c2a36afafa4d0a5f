"""Login sessions, which start with the console's key."""

import asyncio
import hashlib
import hmac
import secrets
import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

COOKIE = "memory_console"

_SESSION_SECONDS = 12 * 3600
_MAX_SESSIONS = 1000
_WRONG_KEY_DELAY = 1.0
"""Seconds until a wrong key is rejected. Until then it counts as a pending guess."""
_MAX_PENDING_GUESSES = 10


class Sessions:
    """Login sessions. They are kept in memory and end with the process."""

    def __init__(self, key: str) -> None:
        self._key = _digest(key)
        self._expiries: dict[bytes, float] = {}
        self._pending_guesses = 0

    async def check_key(self, key: str) -> bool:
        """Whether the key is correct, compared in constant time.

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
        self._expiries = {token: expiry for token, expiry in self._expiries.items() if expiry > now}
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


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
