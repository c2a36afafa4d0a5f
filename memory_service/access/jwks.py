"""The public keys of an identity provider (JWKS), from a URL or a file.

Known keys are used at once and refreshed in the background. Only a call with an unknown key id waits for a fetch, and
at most for `_FETCH_TIMEOUT`.
"""

import asyncio
import contextlib
import http.client
import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any

import jwt
import orjson
import structlog

from memory_service.domain.deadline import without_deadline
from memory_service.domain.errors import Reason, Unavailable

_log = structlog.get_logger(__name__)

_REFRESH_INTERVAL = 300.0
"""Seconds after which keys are fetched again, since providers rotate them."""
_MIN_FETCH_INTERVAL = 10.0
"""Seconds between two fetches for unknown key ids: made-up ids must not become a load on the provider."""
_FETCH_TIMEOUT = 5.0
"""Seconds that one fetch may take in all, from the connection to the last byte."""
_MAX_BYTES = 1 << 20
_MAX_WAITING = 100
"""Calls that may wait for a fetch: tokens with made-up key ids must not fill the server's calls."""


class JwksCache:
    """The keys of one provider by their ids."""

    def __init__(self, source: str) -> None:
        """`source` is a URL, or the path of a file."""
        self._source = source
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetch_started_at = float("-inf")
        self._stale_at = float("-inf")
        self._last_fetch_failed = False
        self._fetch_task: asyncio.Task[None] | None = None
        self._waiting = 0
        # A thread of its own: a provider that hangs occupies no thread of others, and never more than one.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="jwks")

    async def key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key with this id; None stands for the key without one.

        Raises:
            jwt.InvalidTokenError: the provider has no such key.
            Unavailable: the keys cannot be fetched.
        """
        now = time.monotonic()
        known = self._keys.get(key_id)
        if now >= self._stale_at or (known is None and now - self._fetch_started_at > _MIN_FETCH_INTERVAL):
            self._start_fetch()
        if known is not None:
            return known
        if self._fetch_task is not None:
            await self._wait(self._fetch_task)
        if key_id in self._keys:
            return self._keys[key_id]
        if self._last_fetch_failed or not self._keys:
            raise _unavailable()
        raise jwt.InvalidTokenError(f"unknown key id {key_id!r}")

    async def _wait(self, fetching: asyncio.Task[None]) -> None:
        if self._waiting >= _MAX_WAITING:
            raise _unavailable()
        self._waiting += 1
        try:
            await asyncio.shield(fetching)
        finally:
            self._waiting -= 1

    def _start_fetch(self) -> None:
        if self._fetch_task is None:
            self._fetch_started_at = time.monotonic()
            self._fetch_task = asyncio.create_task(self._fetch(), context=without_deadline())
            self._fetch_task.add_done_callback(self._clear_fetch_task)

    def _clear_fetch_task(self, _: asyncio.Task[None]) -> None:
        self._fetch_task = None

    async def _fetch(self) -> None:
        """Fetch the keys; when that fails the old ones stay."""
        try:
            async with asyncio.timeout(_FETCH_TIMEOUT):
                content = await asyncio.get_running_loop().run_in_executor(self._executor, _read, self._source)
            self._keys = _parse(content)
        except (OSError, http.client.HTTPException, ValueError, jwt.PyJWTError) as error:
            _log.warning("jwks_not_fetched", jwks=self._source, cause=repr(error)[:200])
            self._last_fetch_failed, self._stale_at = True, time.monotonic() + _MIN_FETCH_INTERVAL
        else:
            self._last_fetch_failed, self._stale_at = False, time.monotonic() + _REFRESH_INTERVAL


def _parse(content: bytes) -> dict[str | None, jwt.PyJWK]:
    found = orjson.loads(content)
    if not isinstance(found, dict):
        raise ValueError("a JWKS is a JSON object")  # noqa: TRY004 - it is the content that is wrong
    keys = jwt.PyJWKSet.from_dict(found).keys
    return {one.key_id: one for one in keys if one.key_id is None or isinstance(one.key_id, str)}


def _read(source: str) -> bytes:
    if "://" not in source:
        return Path(source).read_bytes()
    sockets: list[socket.socket] = []
    opener = urllib.request.build_opener(_Http(sockets), _Https(sockets))
    # A socket's timeout starts anew with each byte: a server that drips would hold the thread for hours.
    timer = Timer(_FETCH_TIMEOUT, _shut_down, [sockets])
    timer.start()
    try:
        with opener.open(source, timeout=_FETCH_TIMEOUT) as response:
            content: bytes = response.read(_MAX_BYTES + 1)
    finally:
        timer.cancel()
    if len(content) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES} bytes")
    return content


class _Http(urllib.request.HTTPHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_socket_recorder(http.client.HTTPConnection, self._sockets), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_socket_recorder(http.client.HTTPSConnection, self._sockets), req)


def _socket_recorder(kind: type[http.client.HTTPConnection], sockets: list[socket.socket]) -> Any:
    """Connections of this kind that add their sockets to a list."""

    def connection(host: str, **options: Any) -> http.client.HTTPConnection:
        made = kind(host, **options)
        connect = made.connect

        def connect_and_record() -> None:
            connect()
            sockets.append(made.sock)

        made.connect = connect_and_record  # type: ignore[method-assign]
        return made

    return connection


def _shut_down(sockets: list[socket.socket]) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):  # It is closed already.
            one.shutdown(socket.SHUT_RDWR)


def _unavailable() -> Unavailable:
    return Unavailable(
        Reason.ACCESS_UNAVAILABLE,
        "the keys of the identity provider cannot be fetched: try again",
        retry_after=_MIN_FETCH_INTERVAL,
    )
