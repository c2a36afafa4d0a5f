"""Commands to Valkey, on a pool of connections."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import glide

from memory_service.domain.errors import engine_unavailable
from memory_service.valkey.client import Client, ConnectionSettings
from memory_service.valkey.errors import CommandRefused, meaning
from memory_service.valkey.pool import Pool

T = TypeVar("T")
Command = Sequence[str | bytes]

_VERSION = re.compile(r"^valkey_version:(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_SCAN = 1000
"""Keys that one step of a scan looks at."""


class Connections:
    """The commands that the service sends. `open` it before use, `close` it after.

    Every method raises CommandRefused when the engine answers with an error, FailedPrecondition (SERVER_MISCONFIGURED)
    when that is for the operator, and Unavailable, Exhausted or DeadlineExceeded when the engine does not answer.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self.cluster = settings.cluster
        """Whether this is a cluster."""
        self.pool = Pool(settings)
        self._pipelines_writes: bool | None = None
        self._asked_before = 0.0

    async def open(self) -> None:
        """Create the clients."""
        await self.pool.open()

    async def close(self) -> None:
        """Close the clients, once what must run to its end has."""
        await self.pool.close()

    async def run(self, command: Command) -> Any:
        """Run one command and return its reply."""
        async with self.pool.client() as client:
            return await client.custom_command(list(command))

    async def run_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one pipeline, not in a transaction; return their replies."""
        if not commands:
            return []
        if len(commands) == 1:
            return [await self.run(commands[0])]
        async with self.pool.client() as client:
            return await pipeline(client, commands, raise_on_error=True)

    async def run_each(self, commands: Sequence[Command]) -> list[Any]:
        """As `run_all`, but return the CommandRefused of a command that was refused in the place of its reply.

        Raises Unavailable or FailedPrecondition when any of them says so.
        """
        if not commands:
            return []
        async with self.pool.client() as client:
            replies = await pipeline(client, commands, raise_on_error=False)
            return [_outcome(reply) for reply in replies]

    async def run_to_end(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run several commands on one connection, to their end once begun, even if the caller leaves."""
        return await self.pool.run_to_end(work)

    async def run_on_each(self, commands: Sequence[Command], *, within: float) -> list[list[Any]]:
        """Run commands on every primary of a cluster by itself; return the replies of those that answer within so many
        seconds.

        Raises Unavailable when none does.
        """
        async with self.pool.client() as client:
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

    async def pipelines_writes(self) -> bool:
        """Whether a command may follow an indexed write in one pipeline, and runs after it. Valkey 9.0.0 to 9.1.1 can
        stall then (valkey#4531), and in a cluster the two may go to different nodes."""
        if self.cluster:
            return False
        if self._pipelines_writes is None or self._asked_before != self.pool.broken_at:
            self._asked_before = self.pool.broken_at
            told = _VERSION.search(bytes(await self.run(["INFO", "SERVER"])).decode())
            version = tuple(map(int, told.groups())) if told else (0, 0, 0)
            self._pipelines_writes = not (9, 0, 0) <= version < (9, 1, 2)
        return self._pipelines_writes

    async def check(self) -> None:
        """Return when the engine answers and takes writes."""
        if self.cluster:  # GLIDE itself finds out which nodes are its primaries.
            await self.run(["PING"])
            return
        async with self.pool.client() as client:
            if b"role:master" not in await client.custom_command(["INFO", "REPLICATION"]):
                raise glide.RequestError("READONLY: no longer the primary, as a write would have been told")

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """The keys that match a pattern, on every node, in lots; those that come or go meanwhile may be missed."""
        cursor: Any = glide.ClusterScanCursor() if self.cluster else "0"  # type: ignore[no-untyped-call]
        while True:
            async with self.pool.client() as client:
                reply: list[Any] = await client.scan(cursor, match=pattern, count=_SCAN)
            cursor, keys = reply
            if keys:
                yield keys
            if cursor.is_finished() if self.cluster else cursor == b"0":
                return


async def pipeline(client: Client, commands: Sequence[Command], *, raise_on_error: bool) -> list[Any]:
    """The replies to commands in one pipeline; without `raise_on_error` a glide.RequestError stands for a refusal."""
    if isinstance(client, glide.GlideClusterClient):
        cluster_batch = glide.ClusterBatch(is_atomic=False)
        for command in commands:
            cluster_batch.custom_command(list(command))
        return await client.exec(cluster_batch, raise_on_error=raise_on_error) or []
    batch = glide.Batch(is_atomic=False)
    for command in commands:
        batch.custom_command(list(command))
    return await client.exec(batch, raise_on_error=raise_on_error) or []


def _outcome(reply: Any) -> Any:
    if not isinstance(reply, glide.RequestError):
        return reply
    error = meaning(str(reply))
    if not isinstance(error, CommandRefused):
        raise error
    return error
