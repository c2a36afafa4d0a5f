"""Connections to Valkey: a pool of GLIDE clients, each with one command in flight, and one meaning for each failure.

A GLIDE client is one connection a node, and in valkey-search a search or an indexed write blocks its connection: more
commands on it would only wait for each other.

GLIDE makes a connection anew when it breaks, not when it goes silent (valkey-glide#6602) or leads to a node that is no
longer the primary: clients of such a connection are replaced here, except a cluster's.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import glide

from memory_service.engine.client import Client, ConnectionSettings, create_client
from memory_service.engine.errors import meaning, says_not_connected
from memory_service.memory.deadline import remaining, waited_for_engine
from memory_service.memory.errors import PATIENCE, Exhausted, Reason, engine_silent, engine_unavailable

_SCAN = 1000
"""Keys that one step of a scan looks at."""
_RECOVERY = 2.0
"""Seconds after a break in which connections are still being made anew."""


@dataclass(slots=True, eq=False)
class _Link:
    """A client of the pool. `heard` is when it last had an answer, `asked` when the first command was sent that has had
    none; times of the event loop."""

    client: Client
    made: float
    heard: float
    asked: float | None = None


class Connections:
    """The pool. `open` it before use, `close` it after."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._idle: asyncio.Queue[_Link] = asyncio.Queue()
        self._links: set[_Link] = set()
        self._replacements: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._silent_from = 0.0
        """A link was silent from here on: those that have not been heard since then may be, too."""
        self.broken_at = 0.0
        """When a connection with a command in hand was last found broken or silent, by time.monotonic: the engine may
        have been started again."""
        self._moved_at = 0.0
        """The primary was found to be another node by then: links made earlier lead to one that is a replica now."""

    @property
    def cluster(self) -> bool:
        """Whether this is a cluster."""
        return self._settings.cluster

    @property
    def size(self) -> int:
        """Connections, busy or idle."""
        return len(self._links)

    @property
    def busy(self) -> int:
        """Connections that carry a command now."""
        return len(self._links) - self._idle.qsize()

    @property
    def waiting(self) -> int:
        """Calls that wait for a connection."""
        return self._waiting

    async def open(self) -> None:
        """Make the clients. They connect with their first command, and again by themselves when a connection is lost:
        so a service starts while its Valkey is away."""
        glide.Logger.set_logger_config(glide.LogLevel.ERROR)  # It warns on standard output, of what we report.
        for _ in range(self._settings.connections):
            await self._add()

    async def close(self) -> None:
        """Close every client."""
        for task in self._replacements:
            task.cancel()
        for link in self._links:
            await link.client.close()

    async def run(self, command: Sequence[str | bytes]) -> Any:
        """Run one command and return its reply.

        Raises:
            CommandRefused: the engine answered with an error.
            Unavailable, Exhausted, DeadlineExceeded: it did not answer.
        """
        async with self._client() as client:
            return await client.custom_command(list(command))

    async def run_all(self, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        """Run commands in one pipeline, not in a transaction; return their replies.

        Raises as `run` does; CommandRefused when any is refused.
        """
        if not commands:
            return []
        if len(commands) == 1:
            return [await self.run(commands[0])]
        async with self._client() as client:
            if isinstance(client, glide.GlideClusterClient):
                cluster_batch = glide.ClusterBatch(is_atomic=False)
                for command in commands:
                    cluster_batch.custom_command(list(command))
                return await client.exec(cluster_batch, raise_on_error=True) or []
            batch = glide.Batch(is_atomic=False)
            for command in commands:
                batch.custom_command(list(command))
            return await client.exec(batch, raise_on_error=True) or []

    async def run_on_each(self, commands: Sequence[Sequence[str | bytes]], *, within: float) -> list[list[Any]]:
        """Run commands on every primary of a cluster by itself; return the replies of those that answer in so many
        seconds.

        Raises Unavailable when none does.
        """
        async with self._client() as client:
            ranges: Any = await client.custom_command(["CLUSTER", "SLOTS"])
            nodes = {(bytes(primary[0]).decode(), int(primary[1])) for _, _, primary, *_ in ranges}

            async def ask(host: str, port: int) -> list[Any]:
                route = glide.ByAddressRoute(host, port)
                assert isinstance(client, glide.GlideClusterClient)  # noqa: S101 - only a cluster has parts
                async with asyncio.timeout(within):
                    return [await client.custom_command(list(command), route=route) for command in commands]

            outcomes = await asyncio.gather(*(ask(*node) for node in nodes), return_exceptions=True)
        answered = [one for one in outcomes if isinstance(one, list)]
        if not answered:
            raise engine_unavailable("did not answer in time from any shard")
        return answered

    def learn_from(self, other: "Connections") -> None:
        """Take over what another pool of the same engine has found out: that the primary is another node."""
        self._moved_at = max(self._moved_at, other._moved_at)

    def heard_within(self, seconds: float) -> bool:
        """Tell whether the engine has answered any command so lately."""
        since = asyncio.get_running_loop().time() - seconds
        return any(link.heard > max(since, link.made) for link in self._links)

    async def check(self) -> None:
        """Return when the engine answers and takes writes.

        Raises as `run` does.
        """
        if self.cluster:  # GLIDE itself finds out which nodes are its primaries.
            await self.run(["PING"])
            return
        async with self._client() as client:
            if b"role:master" not in await client.custom_command(["INFO", "REPLICATION"]):
                raise glide.RequestError("READONLY: no longer the primary, as a write would have been told")

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """The keys that match a pattern, on every node, in lots; those that come or go meanwhile may be missed.

        Raises as `run` does.
        """
        cursor: Any = glide.ClusterScanCursor() if self.cluster else "0"  # type: ignore[no-untyped-call]
        while True:
            async with self._client() as client:
                reply: list[Any] = await client.scan(cursor, match=pattern, count=_SCAN)
            cursor, keys = reply
            if keys:
                yield keys
            if cursor.is_finished() if self.cluster else cursor == b"0":
                return

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        """An idle client, for one command; what goes wrong with it leaves here under its own name."""
        if self._waiting >= self._settings.queue:
            raise Exhausted(
                Reason.OVERLOADED, "too many calls wait for Valkey: try again, more slowly", retry_after=1.0
            )
        limit, waited = remaining(self._settings.command_timeout), waited_for_engine()
        began = time.monotonic() - waited
        try:
            async with asyncio.timeout(limit):
                self._waiting += 1
                try:
                    link = await self._trusted()
                finally:
                    self._waiting -= 1
                async with self._in_use(link):
                    yield link.client
        except (TimeoutError, glide.TimeoutError) as error:
            # Where connections broke shortly before or during the call, the last of its commands may have had little of
            # its time.
            raise engine_silent(limit + waited if self.broken_at >= began - _RECOVERY else limit) from error
        except (glide.ConnectionError, glide.ClosingError) as error:
            self.broken_at = time.monotonic()
            raise engine_unavailable("cannot be reached") from error
        except glide.RequestError as error:
            if says_not_connected(str(error)):
                self.broken_at = time.monotonic()
            raise meaning(str(error)) from error

    async def _trusted(self) -> _Link:
        """An idle link that still leads to the primary, as far as is known."""
        while True:
            link = await self._idle.get()
            if link.heard >= self._silent_from and link.made >= self._moved_at:
                return link
            self._replace(link)

    @contextlib.asynccontextmanager
    async def _in_use(self, link: _Link) -> AsyncIterator[None]:
        """Sees how a command ends, and with it whether its link goes back to the pool or is replaced."""
        now = asyncio.get_running_loop().time
        link.asked = now() if link.asked is None else link.asked
        try:
            yield
            link.heard, link.asked = now(), None
        except glide.RequestError as error:
            if not isinstance(error, glide.TimeoutError):
                link.heard, link.asked = now(), None
            if "readonly" in str(error).lower() and link.made >= self._moved_at:
                self._moved_at = now()
            raise
        finally:
            silent = link.asked is not None and now() - link.asked >= PATIENCE
            if silent:
                self.broken_at = time.monotonic()
            # A cluster's client finds its nodes by itself; a new one might know only addresses that are gone.
            if silent and link.asked is not None and not self.cluster:
                self._silent_from = max(self._silent_from, link.asked)
                self._replace(link)
            else:
                self._idle.put_nowait(link)

    def _replace(self, link: _Link) -> None:
        """Put a new link into the pool in place of this one, soon."""

        async def replace() -> None:
            self._links.discard(link)
            await link.client.close()
            while True:
                try:
                    return await self._add()
                except glide.GlideError:  # A pool must not shrink, whatever keeps it from being filled just now.
                    await asyncio.sleep(PATIENCE)

        task = asyncio.create_task(replace())
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _add(self) -> None:
        client = await create_client(self._settings)
        now = asyncio.get_running_loop().time()
        link = _Link(client, made=now, heard=now)
        self._links.add(link)
        self._idle.put_nowait(link)
