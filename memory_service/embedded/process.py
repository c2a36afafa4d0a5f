"""A Valkey server as a child process, and the progress of loading its data."""

import asyncio
import contextlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

_STOP = 30.0
"""Seconds for the guard to stop the server: more than the guard gives the server."""
_ANSWER = 10.0
"""Seconds for an answer while the server loads: it answers between parts of its data."""
_REPORT_EVERY = 5.0
"""Seconds between log lines while the server loads."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """The progress of loading the data. The server is ready when it is finished."""

    finished: bool
    loaded_bytes: int
    total_bytes: int


class ServerProcess:
    """A Valkey server and its guard."""

    def __init__(self, guard: asyncio.subprocess.Process, port: int, password: str) -> None:
        self._guard = guard
        self._port = port
        self._password = password

    @classmethod
    async def spawn(cls, server: Path, config: Path, lock: IO[str], port: int, password: str) -> "ServerProcess":
        """Start a server that keeps the lock until it exits."""
        guard = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(Path(__file__).with_name("guard.py")), str(server), str(config)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=[lock.fileno()],
            start_new_session=True,  # Ctrl-C goes to the service only, which stops the server after its last call.
        )
        return cls(guard, port, password)

    async def wait(self) -> int:
        """Wait until the server exits; return its exit status."""
        return await self._guard.wait()

    async def stop(self) -> None:
        """Stop the server so that it saves its data; kill it if it hangs."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            async with asyncio.timeout(_STOP):
                await self._guard.wait()
        except TimeoutError:
            self._guard.kill()
            await self._guard.wait()

    async def wait_until_loaded(self, stall: float) -> bool:
        """Wait until the server has loaded its data, without a time limit.

        Returns:
            False if the server exits, or makes no progress for `stall` seconds.
        """
        now = asyncio.get_running_loop().time
        progress_at, report_at, last_bytes = now(), now() + _REPORT_EVERY, -1
        while self._guard.returncode is None:
            state = await self._progress(min(stall, _ANSWER))
            if state is not None and state.finished:
                return True
            if state is not None and state.loaded_bytes != last_bytes:
                progress_at, last_bytes = now(), state.loaded_bytes
            if now() - progress_at > stall:
                _log.error("embedded_engine_stalled", seconds=stall, loaded_bytes=max(last_bytes, 0))
                return False
            if now() >= report_at:
                report_at = now() + _REPORT_EVERY
                progress = (
                    {} if state is None else {"loaded_bytes": state.loaded_bytes, "total_bytes": state.total_bytes}
                )
                _log.info("embedded_engine_loading", **progress)
            await asyncio.sleep(0.02 if state is None else 0.2)
        return False

    async def _progress(self, seconds: float) -> LoadProgress | None:
        """Return the load progress; None if the server does not answer."""
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            async with asyncio.timeout(seconds):
                return await self._query()
        return None

    async def _query(self) -> LoadProgress | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(f"AUTH {self._password}\r\nINFO persistence\r\n".encode())
            if await reader.readline() != b"+OK\r\n":  # Another program has this port.
                return None
            size = (await reader.readline()).removeprefix(b"$")
            text = (await reader.readexactly(int(size))).decode()
        except ValueError:
            return None
        finally:
            writer.close()
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return LoadProgress(
            finished=fields.get("loading") == "0",
            loaded_bytes=int(fields.get("loading_loaded_bytes", 0)),
            total_bytes=int(fields.get("loading_total_bytes", 0)),
        )


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
