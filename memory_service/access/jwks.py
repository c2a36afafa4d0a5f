"""The public keys of an identity provider (JWKS), cached and refreshed in the background.

A known key is used at once, even while a refresh runs. Only a call with an unknown key id waits for a fetch, for at
most `_FETCH_TIMEOUT`.
"""

import asyncio
import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import structlog

from memory_service.access.jwks_fetch import fetch_jwks, parse_jwks
from memory_service.domain.deadline import without_deadline
from memory_service.domain.errors import Reason, Unavailable

_log = structlog.get_logger(__name__)

_REFRESH_INTERVAL = 300.0
"""Seconds after which the keys are fetched again, because providers rotate them."""
_MIN_FETCH_INTERVAL = 10.0
"""Seconds between two fetches for unknown key ids: made-up ids must not put load on the provider."""
_FETCH_TIMEOUT = 5.0
"""Seconds that one fetch may take, from connecting to the last byte."""
_MAX_WAITING = 100
"""Calls that may wait for a fetch: tokens with made-up key ids must not use up the server's calls."""


class JwksCache:
    """The keys of one provider by their ids."""

    def __init__(self, source: str) -> None:
        """`source` is a URL or the path of a file."""
        self._source = source
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetch_started_at = float("-inf")
        self._stale_at = float("-inf")
        self._last_fetch_failed = False
        self._fetch_task: asyncio.Task[None] | None = None
        self._waiting = 0
        # A separate pool of one thread: a provider that does not respond blocks one thread and no other work.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="jwks")

    async def key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key with this id; None is the id of a key without one.

        Raises:
            jwt.InvalidTokenError: the provider has no key with this id.
            Unavailable: the keys cannot be fetched.
        """
        now = time.monotonic()
        key = self._keys.get(key_id)
        if now >= self._stale_at or (key is None and now - self._fetch_started_at > _MIN_FETCH_INTERVAL):
            self._start_fetch()
        if key is not None:
            return key
        if self._fetch_task is not None:
            await self._wait_for(self._fetch_task)
        if key_id in self._keys:
            return self._keys[key_id]
        if self._last_fetch_failed or not self._keys:
            raise _unavailable()
        raise jwt.InvalidTokenError(f"unknown key id {key_id!r}")

    async def _wait_for(self, fetch_task: asyncio.Task[None]) -> None:
        if self._waiting >= _MAX_WAITING:
            raise _unavailable()
        self._waiting += 1
        try:
            await asyncio.shield(fetch_task)
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
        """Replace the keys. When the fetch fails, the old keys stay."""
        try:
            async with asyncio.timeout(_FETCH_TIMEOUT):
                loop = asyncio.get_running_loop()
                content = await loop.run_in_executor(self._executor, fetch_jwks, self._source, _FETCH_TIMEOUT)
            self._keys = parse_jwks(content)
        except (OSError, http.client.HTTPException, ValueError, jwt.PyJWTError) as error:
            _log.warning("jwks_not_fetched", jwks=self._source, cause=repr(error)[:200])
            self._last_fetch_failed, self._stale_at = True, time.monotonic() + _MIN_FETCH_INTERVAL
        else:
            self._last_fetch_failed, self._stale_at = False, time.monotonic() + _REFRESH_INTERVAL


def _unavailable() -> Unavailable:
    return Unavailable(
        Reason.ACCESS_UNAVAILABLE,
        "the keys of the identity provider cannot be fetched: retry",
        retry_after=_MIN_FETCH_INTERVAL,
    )
