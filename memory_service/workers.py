"""Several server processes (workers) on one port, which Linux balances with SO_REUSEPORT, and their supervisor.

The supervisor serves nothing and imports neither gRPC nor GLIDE. It reserves the port, runs the embedded engine, starts
the workers, forwards signals to them, and restarts those that exit. A worker writes a line to its standard output once
it serves. It exits when its standard input closes, so that no worker outlives a killed supervisor.
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
from memory_service.startup import start_unless_stopped

_DELAY, _MAX_DELAY = 0.5, 30.0
"""Seconds before a restart. They double each time, up to the maximum, and reset after a worker ran for the maximum."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Plan:
    """The settings of the supervisor."""

    workers: int
    listen: str
    health_listen: str | None
    metrics_listen: str | None
    data_dir: str | None
    """The data directory of the embedded engine; None: Valkey runs elsewhere."""
    stop_timeout: float
    """Seconds for workers to exit."""
    log_level: str
    log_format: str


def become_supervisor(plan: Plan) -> NoReturn:
    """Replace this process with the supervisor, because it has imported modules that only workers need."""
    command = [sys.executable, "-P", "-m", "memory_service.workers", json.dumps(asdict(plan))]
    os.execv(sys.executable, command)  # noqa: S606 - there is no shell


class Workers:
    """The worker processes. The first one starts alone, so that an error in the settings is reported once."""

    def __init__(self, count: int, stop_timeout: float) -> None:
        self._count = count
        self._stop_timeout = stop_timeout
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._serving: set[int] = set()
        self._first_serves = asyncio.Event()
        self._stopping = asyncio.Event()
        self._status = 0

    def stop(self, number: signal.Signals) -> None:
        """Forward the signal and restart no more workers."""
        self._stopping.set()
        self._first_serves.set()
        for worker in self._running:
            self._forward(number, worker)

    async def wait_for_stop(self) -> None:
        """Wait until `stop` is called."""
        await self._stopping.wait()

    async def run(self, environment: Mapping[str, str], metrics_listen: str | None) -> int:
        """Keep the workers running until `stop`; return the exit status, 0 if all exited without error."""
        async with asyncio.TaskGroup() as group:
            for worker in range(self._count):
                metrics = (
                    {} if metrics_listen is None else {"MEMORY_METRICS_LISTEN": _port_above(metrics_listen, worker)}
                )
                group.create_task(self._keep_running(worker, {**environment, **metrics}))
            await self.wait_for_stop()
            killing = asyncio.get_running_loop().call_later(self._stop_timeout, self._kill)
        killing.cancel()
        return self._status

    async def _keep_running(self, worker: int, environment: Mapping[str, str]) -> None:
        delay, ever_served = _DELAY, False
        if worker > 0:
            await self._first_serves.wait()
        while not self._stopping.is_set():
            started = time.monotonic()
            served, status = await self._run_once(worker, environment)
            ever_served = ever_served or served
            if self._stopping.is_set():
                if status and (served or status != -signal.SIGTERM):
                    self._status = self._status or 1
            elif not served and not (ever_served and self._serving):  # It logged the cause, and no other worker serves.
                _log.error("worker_ended", worker=worker, status=status)
                self._status = max(status, 1)
                self.stop(signal.SIGINT)
            else:
                delay = _DELAY if time.monotonic() - started > _MAX_DELAY else delay
                _log.warning("worker_ended", worker=worker, status=status, again_in=delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay)
                delay = min(2 * delay, _MAX_DELAY)

    async def _run_once(self, worker: int, environment: Mapping[str, str]) -> tuple[bool, int]:
        """Run a worker until it exits; return whether it served, and its exit status."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "memory_service", "worker", str(worker)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
                start_new_session=True,  # Ctrl-C goes to the supervisor only, which forwards it.
            )
        except OSError as error:
            _log.error("worker_not_started", worker=worker, cause=repr(error))
            return False, 1
        assert process.stdout is not None  # noqa: S101 - stdout is a pipe
        self._running[worker] = process
        if self._stopping.is_set():
            self._forward(signal.SIGTERM, worker)
        served = bool(await process.stdout.readline())
        if served:
            self._serving.add(worker)
            self._first_serves.set()
        status = await process.wait()
        self._serving.discard(worker)
        del self._running[worker]
        return served, status

    def _forward(self, number: signal.Signals, worker: int) -> None:
        """Send the signal. A worker that does not serve yet gets SIGTERM, because SIGINT would print a traceback."""
        with contextlib.suppress(ProcessLookupError):
            self._running[worker].send_signal(number if worker in self._serving else signal.SIGTERM)

    def _kill(self) -> None:
        for worker, process in self._running.items():
            _log.error("worker_does_not_end", worker=worker)
            with contextlib.suppress(ProcessLookupError):
                process.kill()


async def supervise(plan: Plan) -> int:
    """Run the workers until SIGTERM or SIGINT stops them; return the exit status.

    Raises:
        FailedPrecondition: the embedded engine does not start.
        OSError: an address is in use.
    """
    workers = Workers(plan.workers, plan.stop_timeout)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, workers.stop, number)
    async with contextlib.AsyncExitStack() as stack:
        shared = {"MEMORY_LISTEN": stack.enter_context(reserved("MEMORY_LISTEN", plan.listen))}
        if plan.health_listen is not None:
            setting = "MEMORY_HEALTH_LISTEN"
            shared[setting] = stack.enter_context(reserved(setting, plan.health_listen))
        if plan.data_dir is not None:
            starting = stack.enter_async_context(embedded_engine(Path(plan.data_dir)))
            if (url := await start_unless_stopped(workers.wait_for_stop(), starting)) is None:
                return 0
            shared["MEMORY_VALKEY_URL"] = url
        # Setting names are case-insensitive: remove every spelling of the replaced settings.
        replaced = {*shared, "MEMORY_METRICS_LISTEN"}
        others = {name: value for name, value in os.environ.items() if name.upper() not in replaced}
        return await workers.run({**others, **shared}, plan.metrics_listen)


@contextlib.contextmanager
def reserved(setting: str, listen: str) -> Iterator[str]:
    """Reserve a port for the workers while the context is open; yield the address with the actual port.

    Raises:
        OSError: the address is not valid or in use, maybe by workers of another supervisor.
    """
    address = parse_host_port(listen, free_port=True)
    with contextlib.ExitStack() as stack:
        try:
            family, kind, _, _, place = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            holder = stack.enter_context(socket.socket(family, kind))
            # Only for the bind: SO_REUSEADDR ignores closed connections of an earlier server.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(place)
        except OSError as error:
            raise cannot_listen(setting, listen, error) from error
        # From here on only workers can bind. This socket does not listen, so it gets no connections.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield str(replace(address, port=holder.getsockname()[1]))


def _port_above(listen: str, by: int) -> str:
    """Return the address with a higher port; port 0, which means a free port, stays 0."""
    address = parse_host_port(listen, free_port=True)
    return str(replace(address, port=address.port and address.port + by))


def main(plan: Plan) -> int:
    """Run the supervisor; return its exit status."""
    log_to_stderr(logging.getLevelNamesMapping()[plan.log_level.upper()], plan.log_format)
    try:
        return asyncio.run(supervise(plan))
    except (MemoryServiceError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(Plan(**json.loads(sys.argv[1]))))
