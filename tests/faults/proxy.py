"""A TCP proxy between the service and its engine, which does to their connections what networks do."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FaultyProxy:
    """Passes bytes on; what it shall do wrong is set while it runs."""

    def __init__(self, engine_port: int) -> None:
        self.delay = 0.0
        """Seconds that each piece of a reply is held back."""
        self.cut_after: int | None = None
        """Bytes of replies after which the connection that carries them is reset, once."""
        self.connections = 0
        """Connections made so far."""
        self.url = ""
        self._engine_port = engine_port
        self._silenced: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def silenced(self) -> int:
        """Connections that carry nothing and are still open."""
        return len(self._silenced & self._open)

    def silence(self) -> None:
        """Carry nothing any longer on the connections that there are, without closing them, as when a node or a
        firewall between has forgotten them. New ones work."""
        self._silenced |= self._open

    async def end(self) -> None:
        """Close every connection."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def carry(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            engine, to_engine = await asyncio.open_connection("127.0.0.1", self._engine_port)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._requests(task, client, to_engine))
                    group.create_task(self._replies(task, engine, to_client))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            to_client.close()
            with contextlib.suppress(UnboundLocalError):
                to_engine.close()

    async def _requests(
        self, task: asyncio.Task[None], client: asyncio.StreamReader, to_engine: asyncio.StreamWriter
    ) -> None:
        while data := await client.read(65536):
            if task not in self._silenced:
                to_engine.write(data)
        raise ConnectionError("the service has closed it")

    async def _replies(
        self, task: asyncio.Task[None], engine: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        while data := await engine.read(65536):
            await asyncio.sleep(self.delay)
            if self.cut_after is not None and len(data) > self.cut_after:
                to_client.write(data[: self.cut_after])
                await to_client.drain()
                self.cut_after = None
                _reset(to_client)
            if task not in self._silenced:
                to_client.write(data)
        raise ConnectionError("the engine has closed it")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST in place of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionResetError


@asynccontextmanager
async def faulty_proxy(engine_port: int) -> AsyncIterator[FaultyProxy]:
    """A proxy to the engine at a port of this machine while the context is open."""
    made = FaultyProxy(engine_port)
    server = await asyncio.start_server(made.carry, "127.0.0.1", 0)
    made.url = f"valkey://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await made.end()
        await server.wait_closed()
