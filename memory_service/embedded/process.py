"""Starts and stops the embedded Valkey."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import structlog

from memory_service.embedded.packages import find_engine
from memory_service.memory.errors import FailedPrecondition, Reason

_START = 60.0
"""Seconds that the server has to load its data."""
_STOP = 30.0
_ATTEMPTS = 3
"""Ports tried: another program may take a free port before the server does."""

_CONFIG = """\
bind 127.0.0.1
port {port}
dir "{data_dir}"
requirepass {password}
appendonly yes
appendfsync {appendfsync}
save ""
logfile "{data_dir}/valkey.log"
enable-debug-command {debug}
loadmodule "{search_module}" DEFAULT_DIALECT 2 ON_TIMEOUT FAIL
loadmodule "{json_module}"
"""

_log = structlog.get_logger(__name__)


class DataDirInUse(FailedPrecondition):
    """Another server has the data directory."""


class EmbeddedValkey:
    """A Valkey server on a free loopback port with a password of its own, which ends with this process.

    Every acknowledged write is on disk (`appendfsync always`) under `data_dir`, which one server uses at a time.
    """

    def __init__(self, data_dir: Path, *, appendfsync: str = "always", debug_commands: bool = False) -> None:
        """`debug_commands` allows DEBUG, for tests."""
        self.data_dir = data_dir.absolute()
        self.debug_commands = debug_commands
        self.port = 0
        self.password = secrets.token_hex(16)
        self._appendfsync = appendfsync
        self._process: asyncio.subprocess.Process | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """Where it is, for clients; with its password."""
        return f"valkey://:{self.password}@127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server; return when it answers.

        Raises:
            FailedPrecondition: no engine for this machine, or its data directory is in use, or it does not start.
        """
        files = find_engine()
        self._lock = _lock(self.data_dir)
        for _ in range(_ATTEMPTS):
            self.port = free_port()
            config = self.data_dir / "valkey.conf"
            config.touch(mode=0o600)
            config.write_text(
                _CONFIG.format(
                    port=self.port,
                    data_dir=self.data_dir,
                    password=self.password,
                    appendfsync=self._appendfsync,
                    debug="local" if self.debug_commands else "no",
                    search_module=files.search_module,
                    json_module=files.json_module,
                )
            )
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(Path(__file__).with_name("guard.py")), str(files.server), str(config)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the service, which ends the server after its last call.
            )
            if await self._answers(process):
                return
        await self.stop()
        raise FailedPrecondition(
            Reason.SERVER_MISCONFIGURED, f"the embedded engine does not start: see {self.data_dir / 'valkey.log'}"
        )

    async def stop(self) -> None:
        """End the server, its data saved."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP):
                    await self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _answers(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until the server answers with its data loaded. False: it has ended, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START):
                while process.returncode is None:
                    with contextlib.suppress(OSError):
                        if await self._pings():
                            return True
                    await asyncio.sleep(0.02)
        return False

    async def _pings(self) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"AUTH {self.password}\r\nPING\r\n".encode())
            return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def embedded_engine(data_dir: Path) -> AsyncIterator[str]:
    """The URL of a server that runs while the context is open.

    Raises FailedPrecondition.
    """
    valkey = EmbeddedValkey(data_dir)
    _log.info("starting_embedded_engine", data_dir=str(valkey.data_dir))
    try:
        await valkey.start()
        yield valkey.url
    finally:
        await valkey.stop()


def _lock(data_dir: Path) -> IO[str]:
    """Take the directory for this process; the lock goes with it, however it ends."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (data_dir / "lock").open("a")
    os.set_inheritable(file.fileno(), False)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DataDirInUse(
            Reason.SERVER_MISCONFIGURED,
            f"another memory-service uses {data_dir}: stop it, or set MEMORY_DATA_DIR to another directory",
        ) from error
    return file


def free_port() -> int:
    """A port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
