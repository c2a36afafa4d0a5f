"""Server processes under measurement: start one, wait until it is ready, read its CPU time and check its log."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from memory_service.embedded.process import free_port


@dataclass(frozen=True)
class ServerProcess:
    """A process that is ready, the log line that reported it, and the log file."""

    pid: int
    ready_line: str
    log: Path

    def require_all_ok(self, method: str) -> None:
        """Fail if the log has a call of this method with another status than OK: h2load does not read gRPC's status."""
        with self.log.open() as lines:
            failures = [line for line in lines if f'"method":"{method}"' in line and '"code":"OK"' not in line]
        assert not failures, failures[0]

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process and its workers have used so far."""
        return cpu_seconds(self.pid)


@dataclass(frozen=True)
class ServiceProcess(ServerProcess):
    """A `memory-service serve` process."""

    @property
    def address(self) -> str:
        """The address that it listens on."""
        return str(json.loads(self.ready_line)["address"])


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its descendants have used so far."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


@contextlib.contextmanager
def python_process(*arguments: str, ready: str, **environment: str) -> Iterator[ServerProcess]:
    """Run Python while the context is open. Yield once a line of its output contains `ready`."""
    # A file, not a pipe: a pipe that nobody reads blocks the server as soon as its log fills the buffer.
    with (
        tempfile.NamedTemporaryFile("a+") as log,
        subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            while True:
                log.seek(0)
                if lines := [line for line in log if ready in line]:
                    break
                if process.poll() is not None:
                    log.seek(0)
                    raise AssertionError(f"the process ended before it was ready:\n{log.read()}")
                time.sleep(0.05)
            yield ServerProcess(process.pid, lines[0], Path(log.name))
        finally:
            process.terminate()


@contextlib.contextmanager
def service_process(*arguments: str, **settings: str) -> Iterator[ServiceProcess]:
    """Run `memory-service serve` on a free port of loopback. `arguments` replace the module and its command."""
    command = arguments or ("memory_service", "serve")
    settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DRAIN": "0", **settings}
    with python_process("-m", *command, ready='"serving"', **settings) as process:
        yield ServiceProcess(process.pid, process.ready_line, process.log)


@contextlib.contextmanager
def loopback_process(module: str, *arguments: str) -> Iterator[tuple[ServerProcess, str]]:
    """Run a module that takes a port and prints `serving` when it is ready. Yield its address too."""
    port = str(free_port())
    with python_process("-m", module, port, *arguments, ready="serving") as process:
        yield process, f"127.0.0.1:{port}"
