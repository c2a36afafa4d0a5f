"""A server that reports its number of asyncio tasks on SIGUSR1.

`python -m tests.faults.server_resources` is `memory-service serve` with that addition.
"""

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import uvloop

from memory_service.logs import log_to_stderr
from memory_service.server import run_server
from memory_service.settings import Settings
from tests.support.server_process import drain_stderr, environment


@dataclass(frozen=True)
class Sample:
    """Memory, open files and asyncio tasks of a server."""

    megabytes: float
    files: int
    tasks: int


class MeasuredServer:
    """A running server whose resources can be measured."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.address = address
        self._process = process

    def sample(self) -> Sample:
        """Return its resources now."""
        process = psutil.Process(self._process.pid)
        self._process.send_signal(signal.SIGUSR1)
        assert self._process.stdout is not None
        tasks = int(self._process.stdout.readline())
        return Sample(process.memory_info().rss / 2**20, process.num_fds(), tasks)


@contextmanager
def run_measured_server(**settings: str) -> Iterator[MeasuredServer]:
    """Run the server until the context closes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.server_resources"],
        env=environment(**{"MEMORY_LISTEN": "127.0.0.1:0", **settings}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",  # gRPC logs malformed input byte for byte.
    )
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        address = next(line["address"] for line in map(json.loads, process.stderr) if line["event"] == "serving")
        with drain_stderr(process):
            yield MeasuredServer(process, address)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: print(len(asyncio.all_tasks()), flush=True))
    async with run_server(Settings()):
        await end.wait()


if __name__ == "__main__":
    log_to_stderr(logging.INFO)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
