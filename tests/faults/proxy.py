"""A TCP proxy between the service and its engine that simulates network faults."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FaultyProxy:
    """Forwards bytes; its faults can be changed while it runs."""

    def __init__(self, engine_port: int) -> None:
        self.delay = 0.0
        """Seconds by which each chunk of a reply is delayed."""
        self.cut_after: int | None = None
        """Bytes of a reply after which its connection is reset, once."""
        self.connections = 0
        """Number of connections so far."""
        self.url = ""
        self._engine_port = engine_port
        self._stalled: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def stalled(self) -> int:
        """Number of open connections that forward nothing."""
        return len(self._stalled & self._open)

    def stall(self) -> None:
        """Stop forwarding on the open connections without closing them, as a firewall that has dropped their state.
        New connections work."""
        self._stalled |= self._open

    async def close(self) -> None:
        """Close every connection."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def handle_connection(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Forward one connection until it closes."""
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
            if task not in self._stalled:
                to_engine.write(data)
        raise ConnectionError("the service has closed the connection")

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
            if task not in self._stalled:
                to_client.write(data)
        raise ConnectionError("the engine has closed the connection")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionResetError


@asynccontextmanager
async def faulty_proxy(engine_port: int) -> AsyncIterator[FaultyProxy]:
    """Run a proxy to the engine at a local port."""
    running = FaultyProxy(engine_port)
    server = await asyncio.start_server(running.handle_connection, "127.0.0.1", 0)
    running.url = f"valkey://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        await running.close()
        await server.wait_closed()
