"""Server processes on one port, which Linux shares out between them (SO_REUSEPORT), and what keeps them running.

The supervisor serves nothing and imports neither gRPC nor GLIDE: it holds the port and the embedded engine, starts the
workers, passes signals on to them, and starts again what ends by itself. A worker ends when its standard input does,
so that none is left when the supervisor is killed; it writes a line to its standard output once it serves.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn

import structlog

from memory_service.addresses import parse_host_port
from memory_service.domain.errors import MemoryServiceError
from memory_service.embedded import embedded_engine
from memory_service.listen_address import cannot_listen
from memory_service.logs import log_to_stderr
from memory_service.starting import started_unless

_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a worker is started again: twice as long each time, until one has lived for the longest of them."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Plan:
    """What the supervisor needs to know of the settings."""

    workers: int
    listen: str
    health_listen: str | None
    metrics_listen: str | None
    data_dir: str | None
    """Of the embedded engine; None: there is another one."""
    patience: float
    """Seconds that workers have to end."""
    log_level: str
    log_format: str


def become_supervisor(plan: Plan) -> NoReturn:
    """Put the supervisor in the place of this process, which has imported what only workers need."""
    command = [sys.executable, "-P", "-m", "memory_service.workers", json.dumps(asdict(plan))]
    os.execv(sys.executable, command)  # noqa: S606 - there is no shell


class Workers:
    """The processes. The first one starts alone, so that what is wrong with the settings is told once."""

    def __init__(self, count: int, patience: float) -> None:
        self._count = count
        self._patience = patience
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._serving: set[int] = set()
        self._begun = asyncio.Event()
        self._told = asyncio.Event()
        self._status = 0

    def end(self, number: signal.Signals) -> None:
        """Pass the signal on; nothing is started again."""
        self._told.set()
        self._begun.set()
        for worker in self._running:
            self._pass_on(number, worker)

    async def told_to_end(self) -> None:
        """Wait for the signal."""
        await self._told.wait()

    async def run(self, environment: Mapping[str, str], metrics_listen: str | None) -> int:
        """Keep them running until the end; the exit status, 0 when all have ended well."""
        async with asyncio.TaskGroup() as group:
            for worker in range(self._count):
                own = {} if metrics_listen is None else {"MEMORY_METRICS_LISTEN": _higher(metrics_listen, worker)}
                group.create_task(self._keep(worker, {**environment, **own}))
            await self.told_to_end()
            killing = asyncio.get_running_loop().call_later(self._patience, self._kill)
        killing.cancel()
        return self._status

    async def _keep(self, worker: int, environment: Mapping[str, str]) -> None:
        pause, has_served = _PAUSE, False
        if worker > 0:
            await self._begun.wait()
        while not self._told.is_set():
            began = time.monotonic()
            serves, status = await self._once(worker, environment)
            has_served = has_served or serves
            if self._told.is_set():
                if status and (serves or status != -signal.SIGTERM):
                    self._status = self._status or 1
            elif not serves and not (has_served and self._serving):  # It has said why, and nobody else does better.
                _log.error("worker_ended", worker=worker, status=status)
                self._status = max(status, 1)
                self.end(signal.SIGINT)
            else:
                pause = _PAUSE if time.monotonic() - began > _LONGEST_PAUSE else pause
                _log.warning("worker_ended", worker=worker, status=status, again_in=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._told.wait(), pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _once(self, worker: int, environment: Mapping[str, str]) -> tuple[bool, int]:
        """Run it until it ends: whether it has served, and its exit status."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "memory_service", "worker", str(worker)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the supervisor, which passes it on.
            )
        except OSError as error:
            _log.error("worker_not_started", worker=worker, cause=repr(error))
            return False, 1
        assert process.stdout is not None  # noqa: S101 - as asked for
        self._running[worker] = process
        if self._told.is_set():
            self._pass_on(signal.SIGTERM, worker)
        serves = bool(await process.stdout.readline())
        if serves:
            self._serving.add(worker)
            self._begun.set()
        status = await process.wait()
        self._serving.discard(worker)
        del self._running[worker]
        return serves, status

    def _pass_on(self, number: signal.Signals, worker: int) -> None:
        """To one that does not serve yet SIGTERM, whatever it is: Python would tell of Ctrl-C with a traceback."""
        with contextlib.suppress(ProcessLookupError):
            self._running[worker].send_signal(number if worker in self._serving else signal.SIGTERM)

    def _kill(self) -> None:
        for worker, process in self._running.items():
            _log.error("worker_does_not_end", worker=worker)
            with contextlib.suppress(ProcessLookupError):
                process.kill()


async def supervise(plan: Plan) -> int:
    """Run the workers until SIGTERM or SIGINT has ended them; the exit status.

    Raises:
        FailedPrecondition: the embedded engine does not start.
        OSError: an address is taken.
    """
    workers = Workers(plan.workers, plan.patience)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, workers.end, number)
    async with contextlib.AsyncExitStack() as stack:
        shared = {"MEMORY_LISTEN": stack.enter_context(reserved("MEMORY_LISTEN", plan.listen))}
        if plan.health_listen is not None:
            setting = "MEMORY_HEALTH_LISTEN"
            shared[setting] = stack.enter_context(reserved(setting, plan.health_listen))
        if plan.data_dir is not None:
            starting = stack.enter_async_context(embedded_engine(Path(plan.data_dir)))
            if (url := await started_unless(workers.told_to_end(), starting)) is None:
                return 0
            shared["MEMORY_VALKEY_URL"] = url
        # Settings are read in any case: what is replaced must not stay under another spelling.
        replaced = {*shared, "MEMORY_METRICS_LISTEN"}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in replaced}
        return await workers.run({**kept, **shared}, plan.metrics_listen)


@contextlib.contextmanager
def reserved(setting: str, listen: str) -> Iterator[str]:
    """Hold a port for the workers while the context is open; yields the address, its port being known.

    Raises:
        OSError: the address is none, or taken, be it by workers of another supervisor.
    """
    wanted = parse_host_port(listen, free_port=True)
    with contextlib.ExitStack() as stack:
        try:
            family, kind, _, _, place = socket.getaddrinfo(
                wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            holder = stack.enter_context(socket.socket(family, kind))
            # While it binds it shares with nobody but connections that a server before it has closed.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(place)
        except OSError as error:
            raise cannot_listen(setting, listen, error) from error
        # From now on with workers alone. It does not listen, so that Linux gives it no connections.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield str(replace(wanted, port=holder.getsockname()[1]))


def _higher(listen: str, by: int) -> str:
    """The address with a higher port; 0 stays, which takes a free one."""
    address = parse_host_port(listen, free_port=True)
    return str(replace(address, port=address.port and address.port + by))


def main(plan: Plan) -> int:
    """Run the supervisor; its exit status."""
    log_to_stderr(logging.getLevelNamesMapping()[plan.log_level.upper()], plan.log_format)
    try:
        return asyncio.run(supervise(plan))
    except (MemoryServiceError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(Plan(**json.loads(sys.argv[1]))))
