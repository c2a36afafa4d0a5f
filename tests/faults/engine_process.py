"""Valkey servers that tests kill, pause and start again on the same data.

By default these are the embedded engine's programs. MEMORY_TEST_VALKEY_SERVER names others, such as production's:
a server and its modules, separated by spaces (`valkey-server libjson.so libsearch.so`).
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil

from memory_service.embedded import guard
from memory_service.embedded.packages import find_engine
from memory_service.embedded.process import free_port

PRODUCTION_ENGINE = os.environ.get("MEMORY_TEST_VALKEY_SERVER", "")


def programs() -> list[str]:
    """Return the server program and its modules."""
    if PRODUCTION_ENGINE:
        return PRODUCTION_ENGINE.split()
    files = find_engine()
    return [str(files.server), str(files.json_module), f"{files.search_module} DEFAULT_DIALECT 2 ON_TIMEOUT FAIL"]


class EngineProcess:
    """A Valkey server with its own data directory and port; it ends with this process, even after kill -9."""

    def __init__(self, directory: Path, *options: str, search_arguments: str = "", port: int = 0) -> None:
        """`options` are lines of valkey.conf. As in production, every write is on disk before it is acknowledged."""
        self.directory = directory
        self.port = port or free_port()
        self.host = "127.0.0.1"
        self.url = f"valkey://127.0.0.1:{self.port}"
        self._guard: subprocess.Popen[bytes] | None = None
        self.process: psutil.Process | None = None
        server, *modules = programs()
        modules[-1] = f"{modules[-1]} {search_arguments}".strip()
        self._server = server
        directory.mkdir(parents=True, exist_ok=True)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {directory}",
            f"logfile {directory}/valkey.log",
            'save ""',
            "appendonly yes",
            "appendfsync always",
            *options,
            *(f"loadmodule {one}" for one in modules),
        ]
        (directory / "valkey.conf").write_text("\n".join(lines) + "\n")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *, wait: bool = True) -> None:
        """Start the server. Return when its data is loaded, or immediately with `wait=False`."""
        command = [sys.executable, "-I", str(guard.__file__), self._server, str(self.directory / "valkey.conf")]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        owner = psutil.Process(self._guard.pid)
        async with asyncio.timeout(60):
            while not (children := owner.children()):
                assert self._guard.poll() is None, (self.directory / "valkey.log").read_text()
                await asyncio.sleep(0.002)
            self.process = children[0]
            while wait and await self.ping() != b"+PONG":
                assert self._guard.poll() is None, (self.directory / "valkey.log").read_text()
                await asyncio.sleep(0.005)

    async def kill(self) -> None:
        """Kill it with SIGKILL, as in a power cut."""
        assert self.process is not None
        self.process.kill()
        await self._wait_for_exit()

    async def stop(self) -> None:
        """Kill it if it is running or paused."""
        if self.process is not None and self.process.is_running():
            self.process.kill()
            await self._wait_for_exit()

    def pause(self) -> None:
        """Pause it with SIGSTOP: the kernel accepts data for it, and nothing replies."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it with SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def run(self, *command: str) -> bytes:
        """Run a command over a plain socket, since GLIDE does not connect to replicas; return the line or text of the
        reply."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            words = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in command)
            writer.write(f"*{len(command)}\r\n{words}".encode())
            line = await reader.readline()
            return await reader.readexactly(int(line[1:])) if line.startswith(b"$") else line.rstrip()
        finally:
            writer.close()

    async def ping(self) -> bytes:
        """Return the reply to PING, or nothing if it accepts no connections."""
        try:
            return await self.run("PING")
        except OSError:
            return b""

    async def _wait_for_exit(self) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        await asyncio.to_thread(self._guard.wait, 30)
        self._guard = self.process = None
