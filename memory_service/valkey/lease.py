"""Leases on work that one server at a time may do, such as creating or dropping an index.

A lease is a key that expires: when its holder dies, another server takes over. A holder that was suspended notices by
its own clock that it has not renewed the lease in time, and stops. Writing the key only while it has the holder's token
requires SET … IFEQ, available since Valkey 8.1.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from memory_service.domain.deadline import remaining, without_deadline
from memory_service.domain.errors import MemoryServiceError, index_busy
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused

_LIFETIME_MS = "20000"
"""Milliseconds after which a lease expires unless it is renewed."""
_RENEW_INTERVAL = 2.0
_SAFE_FOR = 8.0
"""Seconds after the last renewal during which a holder may continue. The rest of the lifetime allows for a command that
arrives late."""
_POLL = 0.03
_MAX_WAIT = 3600.0


class Lease:
    """A lease that this server holds."""

    def __init__(self, connections: Connections, key: str, token: str) -> None:
        self._connections = connections
        self._key = key
        self._token = token
        self._renewed_at = time.monotonic()

    def check(self) -> None:
        """Raise Unavailable if the lease may have expired; the work must stop then."""
        if time.monotonic() - self._renewed_at > _SAFE_FOR:
            raise index_busy("its lease expired while Valkey or this server was suspended")

    async def renew(self) -> None:
        """Renew the lease periodically, until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_INTERVAL)
            before = time.monotonic()
            with contextlib.suppress(MemoryServiceError, CommandRefused):
                if await self._set(self._token, "PX", _LIFETIME_MS) is not None:
                    self._renewed_at = before

    async def release(self) -> None:
        """Release the lease now."""
        with contextlib.suppress(MemoryServiceError, CommandRefused):
            await self._set("", "PXAT", "1")  # An expiry in the past deletes the key.

    async def _set(self, value: str, unit: str, milliseconds: str) -> bytes | None:
        reply: bytes | None = await self._connections.run(
            ["SET", self._key, value, "IFEQ", self._token, unit, milliseconds]
        )
        return reply


@contextlib.asynccontextmanager
async def wait_for_lease(connections: Connections, name: str) -> AsyncIterator[Lease]:
    """Wait for the lease of this name until the deadline, and hold it while the context is open.

    Raises Unavailable when another server holds it all that time.
    """
    give_up_at = time.monotonic() + remaining(_MAX_WAIT)
    while (lease := await try_lease(connections, name)) is None:
        if time.monotonic() + 2 * _POLL > give_up_at:
            raise index_busy("another server is creating or dropping it")
        await asyncio.sleep(_POLL)
    async with hold_lease(lease):
        yield lease


async def try_lease(connections: Connections, name: str) -> Lease | None:
    """Take the lease of this name; return None when another server holds it. Use the result with `hold_lease`."""
    key, token = f"semantic_memory:lease:{name}", secrets.token_hex(16)
    lease = Lease(connections, key, token)
    # A task of its own ends with the reply even if the caller is cancelled. A release before that could overtake the
    # command on another connection, and the lease would stay for its whole lifetime.
    acquisition = asyncio.create_task(connections.run(["SET", key, token, "NX", "PX", _LIFETIME_MS]))
    try:
        reply = await asyncio.shield(acquisition)
    except BaseException:
        _release(lease, acquisition)  # Without a reply the command may still have arrived.
        raise
    return None if reply is None else lease


@contextlib.asynccontextmanager
async def hold_lease(lease: Lease) -> AsyncIterator[None]:
    """Renew a lease while the context is open, then release it, even if the caller is cancelled."""
    renewal = asyncio.create_task(lease.renew(), context=without_deadline())
    try:
        yield
    finally:
        renewal.cancel()
        await asyncio.shield(_release(lease))


def _release(lease: Lease, acquisition: asyncio.Task[Any] | None = None) -> asyncio.Task[None]:
    """Release a lease in the background, independently of the caller, once its acquisition has ended."""

    async def release() -> None:
        if acquisition is not None:
            await asyncio.gather(acquisition, return_exceptions=True)
        await lease.release()

    task = asyncio.create_task(release(), context=without_deadline())
    _releases.add(task)
    task.add_done_callback(_releases.discard)
    return task


_releases: set[asyncio.Task[None]] = set()
"""Keeps references to running tasks, as asyncio requires."""
