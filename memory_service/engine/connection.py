"""Connections to Valkey: a pool of GLIDE clients, each with one command in flight, and one meaning for each failure.

A GLIDE client is one connection a node, and in valkey-search a search or an indexed write blocks its connection: more
commands on it would only wait for each other. RESP2, because GLIDE cannot convert RediSearch's RESP3 replies.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import glide
import structlog

from memory_service.memory.deadline import remaining
from memory_service.memory.errors import Exhausted, Reason, deadline_exceeded, engine_unavailable

_log = structlog.get_logger(__name__)

_AWAY = re.compile(
    r"\b(busy)?(loading|clusterdown|tryagain|masterdown|readonly|misconf|noreplicas|oom)|maximum inflight"
)
"""What replies that mean "not now" say; GLIDE adds words of its own before the engine's error code."""

_NOT_CONNECTED = re.compile(r"connect failed|failed to create|ioerror|no connection|connection (refused|reset)")
"""What GLIDE says, as a plain RequestError, when a client that connects with its first command cannot."""

_NOT_LET_IN = re.compile(
    "no permissions|permissiondenied|wrongpass|noauth|invalid username-password|authenticationfailed"
)
"""Of such connections, what says that Valkey is there and refuses this user."""

_SCAN = 1000
"""Keys that one step of a scan looks at."""

Client = glide.GlideClient | glide.GlideClusterClient


class CommandRefused(Exception):
    """The engine answered with an error of its own; `text` is in lower case, for comparison only."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text.lower()


@dataclass(frozen=True, slots=True)
class Address:
    """Where one Valkey node listens."""

    host: str
    port: int = 6379


@dataclass(frozen=True, slots=True)
class Iam:
    """How AWS knows an ElastiCache or MemoryDB user: short-lived tokens instead of a password, signed with the AWS
    credentials that the environment gives. `service` is elasticache or memorydb, `name` the cluster's."""

    service: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to reach Valkey. `command_timeout` in seconds bounds each command, the call's deadline permitting; `queue`
    bounds the calls that wait for a connection."""

    addresses: tuple[Address, ...]
    cluster: bool = False
    tls: bool = False
    tls_ca: bytes | None = None
    username: str | None = None
    password: str | None = None
    iam: Iam | None = None
    connections: int = 8
    queue: int = 1000
    command_timeout: float = 10.0


class Connections:
    """The pool. `open` it before use, `close` it after."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._idle: asyncio.Queue[Client] = asyncio.Queue()
        self._clients: list[Client] = []
        self._waiting = 0

    @property
    def cluster(self) -> bool:
        """Whether this is a cluster."""
        return self._settings.cluster

    @property
    def size(self) -> int:
        """Connections, busy or idle."""
        return len(self._clients)

    @property
    def busy(self) -> int:
        """Connections that carry a command now."""
        return len(self._clients) - self._idle.qsize()

    @property
    def waiting(self) -> int:
        """Calls that wait for a connection."""
        return self._waiting

    async def open(self) -> None:
        """Make the clients. They connect with their first command, and again by themselves when a connection is lost:
        so a service starts while its Valkey is away."""
        glide.Logger.set_logger_config(glide.LogLevel.ERROR)  # It warns on standard output, of what we report.
        for _ in range(self._settings.connections):
            client = await self._create()
            self._clients.append(client)
            self._idle.put_nowait(client)

    async def close(self) -> None:
        """Close every client."""
        for client in self._clients:
            await client.close()

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
        limit = remaining(self._settings.command_timeout)
        try:
            async with asyncio.timeout(limit):
                self._waiting += 1
                try:
                    client = await self._idle.get()
                finally:
                    self._waiting -= 1
                try:
                    yield client
                finally:
                    self._idle.put_nowait(client)
        except (TimeoutError, glide.TimeoutError) as error:
            if limit < self._settings.command_timeout:
                raise deadline_exceeded() from error
            raise engine_unavailable("did not answer in time") from error
        except (glide.ConnectionError, glide.ClosingError) as error:
            raise engine_unavailable("cannot be reached") from error
        except glide.RequestError as error:
            text = str(error)
            if _NOT_CONNECTED.search(text.lower()) and not _NOT_LET_IN.search(text.lower()):
                raise engine_unavailable("cannot be reached") from error
            if _AWAY.search(text.lower()):
                _log.warning("engine_not_ready", reply=text[:200])
                raise engine_unavailable("is not ready") from error
            raise CommandRefused(text) from error

    async def _create(self) -> Client:
        settings = self._settings
        credentials = None
        if settings.iam is not None:
            service = glide.ServiceType[settings.iam.service.upper()]
            tokens = glide.IamAuthConfig(settings.iam.name, service, settings.iam.region)
            credentials = glide.ServerCredentials(username=settings.username, iam_config=tokens)
        elif settings.password is not None:
            credentials = glide.ServerCredentials(settings.password, settings.username)
        tls = glide.TlsAdvancedConfiguration(root_pem_cacerts=settings.tls_ca) if settings.tls_ca else None
        common: dict[str, Any] = {
            "addresses": [glide.NodeAddress(one.host, one.port) for one in settings.addresses],
            "use_tls": settings.tls,
            "credentials": credentials,
            "request_timeout": int(settings.command_timeout * 1000),
            "protocol": glide.ProtocolVersion.RESP2,
            "lazy_connect": True,
            "client_name": "semantic_memory",
        }
        if settings.cluster:
            cluster_tls = glide.AdvancedGlideClusterClientConfiguration(tls_config=tls)
            return await glide.GlideClusterClient.create(
                glide.GlideClusterClientConfiguration(**common, advanced_config=cluster_tls)
            )
        node_tls = glide.AdvancedGlideClientConfiguration(tls_config=tls)
        return await glide.GlideClient.create(glide.GlideClientConfiguration(**common, advanced_config=node_tls))
