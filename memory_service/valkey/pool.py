"""A pool of GLIDE clients, each with one command in flight.

A GLIDE client is one connection a node, and in valkey-search a search or an indexed write blocks its connection: more
commands on it would only wait for each other.

GLIDE reconnects when a connection breaks, not when it goes silent (valkey-glide#6602) or leads to a node that is no
longer the primary: the pool replaces clients of such connections, except a cluster's.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import glide

from memory_service.domain.deadline import remaining, waited_for_engine, without_deadline
from memory_service.domain.errors import PATIENCE, engine_silent, engine_unavailable
from memory_service.domain.fairness import FairBudget, Grant
from memory_service.valkey.client import Client, ConnectionSettings, create_client
from memory_service.valkey.errors import meaning, says_not_connected

T = TypeVar("T")

_RECOVERY = 2.0
"""Seconds after a break in which connections are still being made anew."""


@dataclass(slots=True, eq=False)
class _Link:
    """A client of the pool. `last_reply_at` and `pending_since` (when the oldest unanswered command was sent) are times
    of the event loop."""

    client: Client
    created_at: float
    last_reply_at: float
    pending_since: float | None = None
    turn: Grant | None = None


class Pool:
    """`open` it before use, `close` it after."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._idle: asyncio.Queue[_Link] = asyncio.Queue()
        self._links: set[_Link] = set()
        self._replacements: set[asyncio.Task[None]] = set()
        self._unfinished: set[asyncio.Task[Any]] = set()
        self._turns = FairBudget(settings.connections, capacity=settings.queue, what="Valkey")
        self._silent_from = 0.0
        """A link was silent from here on: those without a reply since then may be, too."""
        self.broken_at = 0.0
        """When a connection with a command in flight was last found broken or silent, by time.monotonic: the engine may
        have been restarted."""
        self._moved_at = 0.0
        """When the primary was last found to be another node: older links lead to one that is a replica now."""

    @property
    def size(self) -> int:
        """Connections, busy or idle."""
        return len(self._links)

    @property
    def busy(self) -> int:
        """Connections with a command in flight."""
        return len(self._links) - self._idle.qsize()

    @property
    def waiting(self) -> int:
        """Calls that wait for a connection."""
        return self._turns.waiting

    async def open(self) -> None:
        """Create the clients. They connect with their first command, so that a service starts while its Valkey is
        unavailable."""
        glide.Logger.set_logger_config(glide.LogLevel.ERROR)  # It warns on standard output, of what we report.
        for _ in range(self._settings.connections):
            await self._add()

    async def close(self) -> None:
        """Let the work of `run_to_end` finish, then close every client."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=self._settings.command_timeout)
        for task in self._replacements:
            task.cancel()
        for link in self._links:
            await link.client.close()

    def learn_from(self, other: "Pool") -> None:
        """Take over from another pool of the same engine that the primary is another node."""
        self._moved_at = max(self._moved_at, other._moved_at)

    def heard_within(self, seconds: float) -> bool:
        """Tell whether the engine has answered any command in this time."""
        since = asyncio.get_running_loop().time() - seconds
        return any(link.last_reply_at > max(since, link.created_at) for link in self._links)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """An idle client, for one command at a time.

        Raises:
            CommandRefused: the engine answered with an error.
            Unavailable, Exhausted, DeadlineExceeded: it did not answer.
        """
        limit = remaining(self._settings.command_timeout)
        with self._translated(limit):
            async with asyncio.timeout(limit):
                link = await self._acquire()
                async with self._in_use(link):
                    yield link.client

    async def run_to_end(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run several commands on one connection. Once begun, all of them run even if the caller is cancelled or its
        deadline passes; while it waits for a connection nothing has begun.

        Raises as `client` does.
        """
        limit = remaining(self._settings.command_timeout)
        with self._translated(limit):
            async with asyncio.timeout(limit):
                # No await between the two, so that the link always has an owner that returns it.
                link = await self._acquire()
                task = asyncio.create_task(self._work(link, work), context=without_deadline())
                self._unfinished.add(task)
                task.add_done_callback(self._finished)
                return await asyncio.shield(task)

    async def _work(self, link: _Link, work: Callable[[Client], Awaitable[T]]) -> T:
        limit = self._settings.command_timeout
        with self._translated(limit):
            async with asyncio.timeout(limit), self._in_use(link):
                return await work(link.client)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled():
            task.exception()  # Its caller may have left, and asyncio reports errors that nobody has looked at.

    @contextlib.contextmanager
    def _translated(self, limit: float) -> Iterator[None]:
        """Raise what GLIDE raises as errors of ours; `limit` is the time in seconds that the engine had."""
        waited = waited_for_engine()
        began = time.monotonic() - waited
        try:
            yield
        except (TimeoutError, glide.TimeoutError) as error:
            # Where connections broke shortly before or during the call, its last command may have had little time.
            raise engine_silent(limit + waited if self.broken_at >= began - _RECOVERY else limit) from error
        except (glide.ConnectionError, glide.ClosingError) as error:
            self.broken_at = time.monotonic()
            raise engine_unavailable("cannot be reached") from error
        except glide.RequestError as error:
            if says_not_connected(str(error)):
                self.broken_at = time.monotonic()
            raise meaning(str(error)) from error

    async def _acquire(self) -> _Link:
        """An idle link that still leads to the primary, as far as is known."""
        turn = await self._turns.take(1)
        try:
            while True:
                link = await self._idle.get()
                if link.last_reply_at >= self._silent_from and link.created_at >= self._moved_at:
                    link.turn = turn
                    return link
                self._replace(link)
        except BaseException:
            turn.release()
            raise

    @contextlib.asynccontextmanager
    async def _in_use(self, link: _Link) -> AsyncIterator[None]:
        """See how a command ends, and return its link to the pool or replace it."""
        now, turn = asyncio.get_running_loop().time, link.turn
        link.pending_since = now() if link.pending_since is None else link.pending_since
        try:
            yield
            link.last_reply_at, link.pending_since = now(), None
        except glide.RequestError as error:
            if not isinstance(error, glide.TimeoutError):
                link.last_reply_at, link.pending_since = now(), None
            if "readonly" in str(error).lower() and link.created_at >= self._moved_at:
                self._moved_at = now()
            raise
        finally:
            silent = link.pending_since is not None and now() - link.pending_since >= PATIENCE
            if silent:
                self.broken_at = time.monotonic()
            # A cluster's client finds its nodes by itself; a new one might know only addresses that are gone.
            if silent and link.pending_since is not None and not self._settings.cluster:
                self._silent_from = max(self._silent_from, link.pending_since)
                self._replace(link)
            else:
                self._idle.put_nowait(link)
            if turn is not None:
                turn.release()

    def _replace(self, link: _Link) -> None:
        """Put a new link into the pool in place of this one, soon."""

        async def replace() -> None:
            self._links.discard(link)
            await link.client.close()
            while True:
                try:
                    return await self._add()
                except glide.GlideError:  # The pool must not shrink, whatever keeps it from being filled just now.
                    await asyncio.sleep(PATIENCE)

        task = asyncio.create_task(replace())
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _add(self) -> None:
        client = await create_client(self._settings)
        now = asyncio.get_running_loop().time()
        link = _Link(client, created_at=now, last_reply_at=now)
        self._links.add(link)
        self._idle.put_nowait(link)
