"""Keeps an embedded Valkey running: one server at a time, started again when it ends by itself."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import structlog

from memory_service.domain.errors import FailedPrecondition, Reason
from memory_service.embedded.directory import reserve, reserve_for_engine
from memory_service.embedded.packages import EngineFiles, find_engine
from memory_service.embedded.process import ServerProcess, free_port

_STALL = 60.0
"""Seconds without progress after which a server that starts counts as hanging, and is killed."""
_ATTEMPTS = 3
"""First starts: another program may take a free port before the server does."""
_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the server is started again: twice as long each time, until one has lived for the longest of them."""
_MANY = 3
"""Ends in a row that make the log an operator's matter."""

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
    """A Valkey server on a free loopback port with a password of its own, which ends with this process.

    Every acknowledged write is on disk (`appendfsync always`) under `data_dir`, which one server uses at a time. One
    that ends by itself is started again with the same port and password.
    """

    def __init__(
        self, data_dir: Path, *, appendfsync: str = "always", stall: float = _STALL, debug_commands: bool = False
    ) -> None:
        """`stall` is in seconds: a server that makes no progress for so long while it loads its data is killed.
        `debug_commands` allows DEBUG, for tests."""
        self.data_dir = data_dir.absolute()
        self.port = 0
        self.password = secrets.token_hex(16)
        self._appendfsync = appendfsync
        self._stall = stall
        self._debug_commands = debug_commands
        self._reserved: IO[str] | None = None
        self._server: ServerProcess | None = None
        self._supervision: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is, for clients; with its password."""
        return f"valkey://:{self.password}@127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server; return when it answers with its data loaded, however long it loads.

        Raises:
            FailedPrecondition: no engine for this machine, or its data directory is in use, or it does not start.
        """
        files = find_engine()
        self._reserved = reserve(self.data_dir)
        try:
            await self._launch_first(files)
        except BaseException:
            await self.stop()
            raise
        self._supervision = asyncio.create_task(self._supervise(files))

    async def stop(self) -> None:
        """End the server, its data saved."""
        if self._supervision is not None:
            self._supervision.cancel()
            await asyncio.wait([self._supervision])
            self._supervision = None
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

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
            Reason.SERVER_MISCONFIGURED, f"the embedded engine does not start: see {self._log_file}"
        )

    async def _launch(self, files: EngineFiles) -> bool:
        """Start a server after the last one has ended; False when this one ends, or hangs, before it answers."""
        with await reserve_for_engine(self.data_dir) as lock:
            config = self.data_dir / "valkey.conf"
            self._server = server = await ServerProcess.spawn(files.server, config, lock, self.port, self.password)
        if await server.loaded(self._stall):
            return True
        await server.stop()
        return False

    async def _supervise(self, files: EngineFiles) -> None:
        """Start the server again whenever it ends."""
        now = asyncio.get_running_loop().time
        pause, ends, began = _PAUSE, 0, now()
        while True:
            assert self._server is not None  # noqa: S101 - start() has made the first
            status = await self._server.wait()
            if now() - began > _LONGEST_PAUSE:
                pause, ends = _PAUSE, 0
            ends += 1
            tell = _log.error if ends >= _MANY else _log.warning
            tell("embedded_engine_ended", status=status, in_a_row=ends, again_in=pause, see=str(self._log_file))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            began = now()
            try:
                if await self._launch(files):
                    _log.info("embedded_engine_restarted", seconds=round(now() - began, 1))
            except (OSError, FailedPrecondition) as error:
                _log.error("embedded_engine_not_started", cause=str(error))


@contextlib.asynccontextmanager
async def embedded_engine(data_dir: Path) -> AsyncIterator[str]:
    """The URL of a server that is kept running while the context is open.

    Raises FailedPrecondition.
    """
    valkey = EmbeddedValkey(data_dir)
    _log.info("starting_embedded_engine", data_dir=str(valkey.data_dir))
    try:
        await valkey.start()
        yield valkey.url
    finally:
        await valkey.stop()
