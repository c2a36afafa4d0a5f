"""A pool of GLIDE clients, each with one command in flight.

A GLIDE client has one connection per node. In valkey-search a search or an indexed write blocks its connection, so more
commands on it would only wait for each other.

GLIDE reconnects when a connection breaks, but not when it becomes silent (valkey-glide#6602) or leads to a node that is
no longer the primary. The pool replaces such clients, except those of a cluster.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import glide

from memory_service.domain.deadline import remaining, waited_for_engine, without_deadline
from memory_service.domain.errors import UNRESPONSIVE_AFTER, engine_timeout, engine_unavailable
from memory_service.domain.fairness import FairBudget, Grant
from memory_service.valkey.client import Client, ConnectionSettings, create_client
from memory_service.valkey.errors import is_not_connected, translate

T = TypeVar("T")

_RECONNECT_TIME = 2.0
"""Seconds after a disconnect during which connections may still be reconnecting."""


@dataclass(slots=True, eq=False)
class _Link:
    """A client of the pool.

    `pending_since` is when its oldest unanswered command was sent. Times are those of the event loop. Only a result
    shows that the engine answers: errors may be GLIDE's own.
    """

    client: Client
    created_at: float
    last_reply_at: float
    last_result_at: float = -math.inf
    pending_since: float | None = None
    grant: Grant | None = None


class Pool:
    """Lends clients to one command at a time. `open` it before use and `close` it after."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._idle: asyncio.Queue[_Link] = asyncio.Queue()
        self._links: set[_Link] = set()
        self._replacements: set[asyncio.Task[None]] = set()
        self._running_work: set[asyncio.Task[Any]] = set()
        self._limit = FairBudget(settings.connections, capacity=settings.queue, what="Valkey")
        self._silent_since = 0.0
        """When a link became silent. Other links without a reply since then may be silent too."""
        self.last_disconnect_at = 0.0
        """When a connection with a command in flight last broke or became silent, by time.monotonic. The engine may
        have been restarted."""
        self._failover_at = 0.0
        """When the last failover was noticed. Older links lead to a node that is a replica now."""

    @property
    def size(self) -> int:
        """The number of connections, busy or idle."""
        return len(self._links)

    @property
    def busy(self) -> int:
        """The number of connections with a command in flight."""
        return len(self._links) - self._idle.qsize()

    @property
    def waiting(self) -> int:
        """The number of calls that wait for a connection."""
        return self._limit.waiting

    async def open(self) -> None:
        """Create the clients. They connect with their first command, so that the service can start while Valkey is
        unavailable."""
        glide.Logger.set_logger_config(glide.LogLevel.ERROR)  # It prints warnings for what this service logs itself.
        for _ in range(self._settings.connections):
            await self._add()

    async def close(self) -> None:
        """Wait for the work of `run_to_end`, then close every client."""
        if self._running_work:
            await asyncio.wait(self._running_work, timeout=self._settings.command_timeout)
        for task in self._replacements:
            task.cancel()
        for link in self._links:
            await link.client.close()

    def adopt_failover(self, other: "Pool") -> None:
        """Adopt a failover that another pool of the same engine has noticed."""
        self._failover_at = max(self._failover_at, other._failover_at)

    def answered_within(self, seconds: float) -> bool:
        """Return whether the engine returned the result of any command within the last `seconds`."""
        since = asyncio.get_running_loop().time() - seconds
        return any(link.last_result_at > since for link in self._links)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Lend an idle client, for one command at a time.

        Raises:
            CommandRefused: the engine answered with an error.
            Unavailable, ResourceExhausted, DeadlineExceeded: it did not answer.
        """
        limit = remaining(self._settings.command_timeout)
        with self._translate_errors(limit):
            async with asyncio.timeout(limit):
                link = await self._acquire()
                async with self._in_use(link):
                    yield link.client

    async def run_to_end(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run several commands on one connection. Once begun, all of them run, even if the caller is cancelled or its
        deadline passes. Nothing begins while the caller waits for a connection.

        Raises the errors of `client`.
        """
        limit = remaining(self._settings.command_timeout)
        with self._translate_errors(limit):
            async with asyncio.timeout(limit):
                # No await may separate these two lines; otherwise a cancelled caller would leak the link.
                link = await self._acquire()
                task = asyncio.create_task(self._work(link, work), context=without_deadline())
                self._running_work.add(task)
                task.add_done_callback(self._forget_work)
                return await asyncio.shield(task)

    async def _work(self, link: _Link, work: Callable[[Client], Awaitable[T]]) -> T:
        limit = self._settings.command_timeout
        with self._translate_errors(limit):
            async with asyncio.timeout(limit), self._in_use(link):
                return await work(link.client)

    def _forget_work(self, task: asyncio.Task[Any]) -> None:
        self._running_work.discard(task)
        if not task.cancelled():
            task.exception()  # Marks it as handled: the caller may have been cancelled.

    @contextlib.contextmanager
    def _translate_errors(self, limit: float) -> Iterator[None]:
        """Translate errors of GLIDE into those of the domain; `limit` is the time to reply, in seconds."""
        waited = waited_for_engine()
        began = time.monotonic() - waited
        try:
            yield
        except (TimeoutError, glide.TimeoutError) as error:
            # If a connection broke shortly before or during the call, its last command may have had little time.
            raise engine_timeout(
                limit + waited if self.last_disconnect_at >= began - _RECONNECT_TIME else limit
            ) from error
        except (glide.ConnectionError, glide.ClosingError) as error:
            self.last_disconnect_at = time.monotonic()
            raise engine_unavailable("cannot be reached") from error
        except glide.RequestError as error:
            if is_not_connected(str(error)):
                self.last_disconnect_at = time.monotonic()
            raise translate(str(error)) from error

    async def _acquire(self) -> _Link:
        """Return an idle link that is not known to be silent or to lead to a replica."""
        grant = await self._limit.acquire(1)
        try:
            while True:
                link = await self._idle.get()
                if link.last_reply_at >= self._silent_since and link.created_at >= self._failover_at:
                    link.grant = grant
                    return link
                self._replace(link)
        except BaseException:
            grant.release()
            raise

    @contextlib.asynccontextmanager
    async def _in_use(self, link: _Link) -> AsyncIterator[None]:
        """Record how a command ends, then return its link to the pool or replace it."""
        now, grant = asyncio.get_running_loop().time, link.grant
        link.pending_since = now() if link.pending_since is None else link.pending_since
        try:
            yield
            link.last_reply_at = link.last_result_at = now()
            link.pending_since = None
        except glide.RequestError as error:
            if not isinstance(error, glide.TimeoutError):
                link.last_reply_at, link.pending_since = now(), None
            if "readonly" in str(error).lower() and link.created_at >= self._failover_at:
                self._failover_at = now()
            raise
        finally:
            silent = link.pending_since is not None and now() - link.pending_since >= UNRESPONSIVE_AFTER
            if silent:
                self.last_disconnect_at = time.monotonic()
            # A cluster client discovers its nodes itself; a new one might only know addresses that no longer exist.
            if silent and link.pending_since is not None and not self._settings.cluster:
                self._silent_since = max(self._silent_since, link.pending_since)
                self._replace(link)
            else:
                self._idle.put_nowait(link)
            if grant is not None:
                grant.release()

    def _replace(self, link: _Link) -> None:
        """Replace a link in the background."""

        async def replace() -> None:
            self._links.discard(link)
            await link.client.close()
            while True:
                try:
                    return await self._add()
                except glide.GlideError:  # Retry, because the pool must not shrink.
                    await asyncio.sleep(UNRESPONSIVE_AFTER)

        task = asyncio.create_task(replace())
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _add(self) -> None:
        client = await create_client(self._settings)
        now = asyncio.get_running_loop().time()
        link = _Link(client, created_at=now, last_reply_at=now)
        self._links.add(link)
        self._idle.put_nowait(link)
