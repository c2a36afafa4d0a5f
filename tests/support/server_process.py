"""`memory-service` in a process of its own, as users run it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.api import TIMEOUT

SERVICE = "semantic_memory.v1.MemoryService"
COMMAND = [sys.executable, "-m", "memory_service"]


class ServerProcess:
    """A running `memory-service serve`: its process, its address and its log."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: list[dict[str, Any]]) -> None:
        self.process = process
        self.address = address
        self.first_line = log[0]
        self.log = log
        """The lines so far. A thread adds lines while the server runs."""
        self.key = ""
        """The API key for calls, in tests that use one."""

    def call_lines(self, method: str) -> list[dict[str, Any]]:
        """Return the log lines of calls of one method."""
        return [line for line in self.log if line["event"] == "call" and line["method"] == method]

    def workers(self) -> dict[int, psutil.Process]:
        """Return the running workers, by number."""
        children = psutil.Process(self.process.pid).children()
        return {int(one.cmdline()[-1]): one for one in children if "worker" in one.cmdline()}

    def run_cli(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a client command against the server."""
        return run_cli(self.address, *arguments, status=status)

    def engine(self) -> psutil.Process:
        """Return the process of the embedded engine."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        [engine] = [one for one in children if "valkey-server" in one.name()]
        return engine


def run_cli(address: str, *arguments: str, status: int = 0, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a client command against the server at an address, and assert its exit status."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(MEMORY_ADDRESS=address, COLUMNS="200"),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def environment(**changes: str) -> dict[str, str]:
    """The environment of this process without settings of the service, except for the layout under test."""
    other = {name: value for name, value in os.environ.items() if not name.startswith(("MEMORY_", "FORCE_COLOR"))}
    layout = {name: value for name, value in os.environ.items() if name == "MEMORY_LAYOUT"}
    return {**other, **layout, **changes}


@contextmanager
def run_server_process(**settings: str) -> Iterator[ServerProcess]:
    """Run a server until the context closes."""
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env=environment(**{"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DRAIN": "0", **settings}),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",  # gRPC logs malformed input byte for byte.
    )
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    stderr = process.stderr
    reader = threading.Thread(target=lambda: lines.extend(map(_line, stderr)))
    try:
        for line in stderr:
            lines.append(_line(line))
            if lines[-1]["event"] == "serving":
                break
        else:
            pytest.fail(f"the server exited before it served: {lines}")
        address = lines[-1]["address"]
        reader.start()  # Without a reader, the server would block once the pipe is full.
        yield ServerProcess(process, address, lines)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        if reader.ident:
            reader.join(30)
        stderr.close()


def _line(text: str) -> dict[str, Any]:
    """Parse a log line. Other text, such as the error of a worker that does not start, is returned under `text`."""
    if not text.startswith("{"):
        return {"event": "", "text": text}
    line: dict[str, Any] = json.loads(text)
    return line


async def wait_for_log_lines(
    server_process: ServerProcess, event: str, count: int = 1, **fields: Any
) -> list[dict[str, Any]]:
    """Wait for `count` log lines of an event with these fields, and return them; fail after 30 seconds."""
    for _ in range(600):
        found = [line for line in server_process.log if line["event"] == event and fields.items() <= line.items()]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"no {count} lines of {event} {fields}: {server_process.log}")


@contextmanager
def drain_stderr(process: subprocess.Popen[str]) -> Iterator[None]:
    """Read the log of a process so that it never blocks on a full pipe; terminate it when the context closes."""
    assert process.stderr is not None
    reader = threading.Thread(target=process.stderr.read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
        reader.join(60)


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel to an address and wait until it is connected."""
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), TIMEOUT)
        yield channel


def wait_for_exit(process: psutil.Process, seconds: float = 20.0) -> None:
    """Wait until a process has ended; fail if it is still running after the timeout."""
    psutil.wait_procs([process], timeout=seconds)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def wait_for_health(channel: grpc.aio.Channel, wanted: health_pb2.HealthCheckResponse.ServingStatus) -> None:
    """Wait until readiness has this status; fail after 20 seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        if (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT)).status == wanted:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"readiness did not become {wanted}")
