"""Commands to Valkey over a pool of connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import glide

from memory_service.domain.errors import engine_unavailable
from memory_service.domain.types import EngineCapabilities
from memory_service.valkey.capabilities import CapabilityDetector
from memory_service.valkey.client import Client, ConnectionSettings
from memory_service.valkey.errors import CommandRefused, translate
from memory_service.valkey.pool import Pool

T = TypeVar("T")
Command = Sequence[str | bytes]

_SCAN_COUNT = 1000
"""Keys that the engine examines in one step of a scan."""


class Connections:
    """Sends commands to the engine. `open` it before use and `close` it after.

    Every method may raise CommandRefused if the engine answers with an error, FailedPrecondition (SERVER_MISCONFIGURED)
    if only the operator can fix it, and Unavailable, ResourceExhausted or DeadlineExceeded if the engine does not
    answer.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self.cluster = settings.cluster
        """Whether the engine is a cluster."""
        self.pool = Pool(settings)
        self._detector = CapabilityDetector(self.run, cluster=settings.cluster)

    async def open(self) -> None:
        """Create the clients."""
        await self.pool.open()

    async def close(self) -> None:
        """Close the clients, after the work of `run_to_end` has finished."""
        await self.pool.close()

    async def capabilities(self) -> EngineCapabilities:
        """Return the capabilities of the engine; `reports_missing_shards` is known per index only (see IndexState)."""
        return await self._detector.detect(self.pool.last_disconnect_at)

    async def run(self, command: Command) -> Any:
        """Run one command and return its reply."""
        async with self.pool.client() as client:
            return await client.custom_command(list(command))

    async def run_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one pipeline, without a transaction, and return their replies."""
        if not commands:
            return []
        if len(commands) == 1:
            return [await self.run(commands[0])]
        async with self.pool.client() as client:
            return await pipeline(client, commands, raise_on_error=True)

    async def run_each(self, commands: Sequence[Command]) -> list[Any]:
        """As `run_all`, but return a CommandRefused in place of the reply of a refused command.

        Raises Unavailable or FailedPrecondition if the error of any command means that.
        """
        if not commands:
            return []
        async with self.pool.client() as client:
            replies = await pipeline(client, commands, raise_on_error=False)
            return [_reply_or_refusal(reply) for reply in replies]

    async def run_to_end(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run several commands on one connection. Once begun they run to their end, even if the caller is cancelled."""
        return await self.pool.run_to_end(work)

    async def run_on_each_primary(self, commands: Sequence[Command], *, timeout: float) -> list[list[Any]]:  # noqa: ASYNC109
        """Run commands on every primary of a cluster separately; return the replies of those that answer within
        `timeout` seconds.

        Raises Unavailable if none does.
        """
        async with self.pool.client() as client:
            slot_ranges: Any = await client.custom_command(["CLUSTER", "SLOTS"])
            primaries = {(bytes(primary[0]).decode(), int(primary[1])) for _, _, primary, *_ in slot_ranges}

            async def run_on(host: str, port: int) -> list[Any]:
                route = glide.ByAddressRoute(host, port)
                assert isinstance(client, glide.GlideClusterClient)  # noqa: S101 - only a cluster has partial answers
                async with asyncio.timeout(timeout):
                    return [await client.custom_command(list(command), route=route) for command in commands]

            outcomes = await asyncio.gather(*(run_on(*primary) for primary in primaries), return_exceptions=True)
        replies = [outcome for outcome in outcomes if isinstance(outcome, list)]
        if not replies:
            raise engine_unavailable("did not answer in time from any shard")
        return replies

    async def check(self) -> None:
        """Return if the engine answers and accepts writes; otherwise raise."""
        if self.cluster:  # GLIDE discovers the primaries itself.
            await self.run(["PING"])
            return
        async with self.pool.client() as client:
            if b"role:master" not in await client.custom_command(["INFO", "REPLICATION"]):
                raise glide.RequestError("READONLY: no longer the primary")

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """Yield batches of the keys on all nodes that match a pattern. Keys that are added or deleted during the scan
        may be missed."""
        cursor: Any = glide.ClusterScanCursor() if self.cluster else "0"  # type: ignore[no-untyped-call]
        while True:
            async with self.pool.client() as client:
                reply: list[Any] = await client.scan(cursor, match=pattern, count=_SCAN_COUNT)
            cursor, keys = reply
            if keys:
                yield keys
            if cursor.is_finished() if self.cluster else cursor == b"0":
                return


async def pipeline(client: Client, commands: Sequence[Command], *, raise_on_error: bool) -> list[Any]:
    """Return the replies to commands in one pipeline; without `raise_on_error`, a glide.RequestError in place of a
    refused command's reply."""
    if isinstance(client, glide.GlideClusterClient):
        cluster_batch = glide.ClusterBatch(is_atomic=False)
        for command in commands:
            cluster_batch.custom_command(list(command))
        return await client.exec(cluster_batch, raise_on_error=raise_on_error) or []
    batch = glide.Batch(is_atomic=False)
    for command in commands:
        batch.custom_command(list(command))
    return await client.exec(batch, raise_on_error=raise_on_error) or []


def _reply_or_refusal(reply: Any) -> Any:
    if not isinstance(reply, glide.RequestError):
        return reply
    error = translate(str(reply))
    if not isinstance(error, CommandRefused):
        raise error
    return error
