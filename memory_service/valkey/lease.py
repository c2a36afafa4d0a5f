"""A lease on a piece of work that one server at a time may do, such as to create or drop an index.

The lease is a key that expires: when its holder dies, another takes over. A holder that was suspended notices by its
own clock that it has not renewed the lease in time, and stops. Writing the key only if it still has the holder's token
takes SET … IFEQ, which Valkey has since 8.1.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator

from memory_service.domain.deadline import remaining, without_deadline
from memory_service.domain.errors import MemoryServiceError, index_busy
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused

_PX = "20000"
"""Milliseconds after which a lease that nobody renews ends."""
_RENEW_EVERY = 2.0
_SAFE = 8.0
"""Seconds after its last renewal in which a holder goes on: the rest is for a command that is slow to arrive."""
_POLL = 0.03
_LONGEST_WAIT = 3600.0


class Lease:
    """A lease that is held."""

    def __init__(self, connections: Connections, key: str, token: str) -> None:
        self._connections = connections
        self._key = key
        self._token = token
        self._renewed = time.monotonic()

    def check(self) -> None:
        """Raise Unavailable when the lease may have ended: the work must stop then."""
        if time.monotonic() - self._renewed > _SAFE:
            raise index_busy("its lease ran out while Valkey or this server stood still")

    async def renew(self) -> None:
        """Renew it until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_EVERY)
            before = time.monotonic()
            with contextlib.suppress(MemoryServiceError, CommandRefused):
                if await self._set(self._token, "PX", _PX) is not None:
                    self._renewed = before

    async def release(self) -> None:
        """End it now."""
        with contextlib.suppress(MemoryServiceError, CommandRefused):
            await self._set("", "PXAT", "1")  # A time that has passed: the key is deleted.

    async def _set(self, value: str, unit: str, milliseconds: str) -> bytes | None:
        reply: bytes | None = await self._connections.run(
            ["SET", self._key, value, "IFEQ", self._token, unit, milliseconds]
        )
        return reply


@contextlib.asynccontextmanager
async def lease(connections: Connections, name: str) -> AsyncIterator[Lease]:
    """Hold the lease of this name while the context is open; wait for it until the deadline.

    Raises Unavailable when another server holds it all that time.
    """
    ends = time.monotonic() + remaining(_LONGEST_WAIT)
    while (held := await try_lease(connections, name)) is None:
        if time.monotonic() + 2 * _POLL > ends:
            raise index_busy("another server is creating or dropping it")
        await asyncio.sleep(_POLL)
    async with holding(held):
        yield held


async def try_lease(connections: Connections, name: str) -> Lease | None:
    """The lease of this name, or None when another holds it. Release it with `holding`."""
    key, token = f"semantic_memory:lease:{name}", secrets.token_hex(16)
    held = Lease(connections, key, token)
    try:
        reply = await connections.run(["SET", key, token, "NX", "PX", _PX])
    except BaseException:
        _release(held)  # The caller was cancelled or got no answer, and the command may have arrived.
        raise
    return None if reply is None else held


@contextlib.asynccontextmanager
async def holding(held: Lease) -> AsyncIterator[None]:
    """Renew a lease while the context is open, then release it, even when the caller is cancelled."""
    renewing = asyncio.create_task(held.renew(), context=without_deadline())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.shield(_release(held))


def _release(held: Lease) -> asyncio.Task[None]:
    """Release a lease, whatever becomes of the caller."""
    releasing = asyncio.create_task(held.release(), context=without_deadline())
    _releases.add(releasing)
    releasing.add_done_callback(_releases.discard)
    return releasing


_releases: set[asyncio.Task[None]] = set()
