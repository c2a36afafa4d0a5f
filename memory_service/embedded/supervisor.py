"""Keeps an embedded Valkey running: one server at a time, restarted when it exits."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import structlog

from memory_service.domain.errors import FailedPrecondition, Reason
from memory_service.embedded.directory import lock_for_engine, lock_for_service
from memory_service.embedded.packages import EngineFiles, find_engine
from memory_service.embedded.process import ServerProcess, free_port

_STALL = 60.0
"""Seconds without progress after which a starting server is killed."""
_ATTEMPTS = 3
"""Attempts of the first start: another program may take the free port before the server does."""
_DELAY, _MAX_DELAY = 0.5, 30.0
"""Seconds before a restart. They double each time, up to the maximum, and reset after a server ran for the maximum."""
_ERROR_AFTER = 3
"""Consecutive exits after which the log lines are errors."""

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


class EmbeddedValkey:
    """A Valkey server on a free loopback port with a random password. It stops with this process.

    Every acknowledged write is on disk (`appendfsync always`) under `data_dir`, which one server can use at a time.
    A server that exits is restarted with the same port and password.
    """

    def __init__(
        self, data_dir: Path, *, appendfsync: str = "always", stall: float = _STALL, debug_commands: bool = False
    ) -> None:
        """Configure a server. It is killed if it makes no progress for `stall` seconds while it loads its data.
        `debug_commands` allows DEBUG, for tests."""
        self.data_dir = data_dir.absolute()
        self.port = 0
        self.password = secrets.token_hex(16)
        self._appendfsync = appendfsync
        self._stall = stall
        self._debug_commands = debug_commands
        self._lock: IO[str] | None = None
        self._server: ServerProcess | None = None
        self._supervision: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL for clients, with the password."""
        return f"valkey://:{self.password}@127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server; return when it has loaded its data, without a time limit.

        Raises:
            FailedPrecondition: no engine exists for this machine, it does not start, or its data directory is in use
                or not usable.
        """
        files = find_engine()
        self._lock = lock_for_service(self.data_dir)
        try:
            await self._launch_first(files)
        except BaseException:
            await self.stop()
            raise
        self._supervision = asyncio.create_task(self._supervise(files))

    async def stop(self) -> None:
        """Stop the server so that it saves its data."""
        if self._supervision is not None:
            self._supervision.cancel()
            await asyncio.wait([self._supervision])
            self._supervision = None
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def _log_file(self) -> Path:
        return self.data_dir / "valkey.log"

    def _configure(self, files: EngineFiles) -> None:
        config = self.data_dir / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            _CONFIG.format(
                port=self.port,
                data_dir=self.data_dir,
                password=self.password,
                appendfsync=self._appendfsync,
                debug="local" if self._debug_commands else "no",
                search_module=files.search_module,
                json_module=files.json_module,
            )
        )

    async def _launch_first(self, files: EngineFiles) -> None:
        for _ in range(_ATTEMPTS):
            self.port = free_port()
            self._configure(files)
            if await self._launch(files):
                return
        raise FailedPrecondition(
            Reason.SERVER_MISCONFIGURED, f"the embedded Valkey does not start: its log {self._log_file} has the cause"
        )

    async def _launch(self, files: EngineFiles) -> bool:
        """Start a server after the previous one has exited; return False if it exits or hangs before it is ready."""
        with await lock_for_engine(self.data_dir) as lock:
            config = self.data_dir / "valkey.conf"
            self._server = server = await ServerProcess.spawn(files.server, config, lock, self.port, self.password)
        if await server.wait_until_loaded(self._stall):
            return True
        await server.stop()
        return False

    async def _supervise(self, files: EngineFiles) -> None:
        """Restart the server whenever it exits."""
        now = asyncio.get_running_loop().time
        delay, exits, started_at = _DELAY, 0, now()
        while True:
            assert self._server is not None  # noqa: S101 - start() has launched the first
            status = await self._server.wait()
            if now() - started_at > _MAX_DELAY:
                delay, exits = _DELAY, 0
            exits += 1
            log = _log.error if exits >= _ERROR_AFTER else _log.warning
            log("embedded_engine_ended", status=status, in_a_row=exits, again_in=delay, see=str(self._log_file))
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MAX_DELAY)
            started_at = now()
            try:
                if await self._launch(files):
                    _log.info("embedded_engine_restarted", seconds=round(now() - started_at, 1))
            except (OSError, FailedPrecondition) as error:
                _log.error("embedded_engine_not_started", cause=str(error))


@contextlib.asynccontextmanager
async def embedded_engine(data_dir: Path) -> AsyncIterator[str]:
    """Run an embedded server while the context is open; yield its URL.

    Raises FailedPrecondition.
    """
    valkey = EmbeddedValkey(data_dir)
    _log.info("starting_embedded_engine", data_dir=str(valkey.data_dir))
    try:
        await valkey.start()
        yield valkey.url
    finally:
        await valkey.stop()
