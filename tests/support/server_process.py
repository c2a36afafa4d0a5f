"""`memory-service` as a process, for tests that run it as its users do."""

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
        """The lines so far: more come while it runs."""
        self.key = ""
        """The API key of a test that shows one."""

    def call_lines(self, method: str) -> list[dict[str, Any]]:
        """The lines of the calls of one method."""
        return [line for line in self.log if line["event"] == "call" and line["method"] == method]

    def workers(self) -> dict[int, psutil.Process]:
        """The workers that run, by number."""
        children = psutil.Process(self.process.pid).children()
        return {int(one.cmdline()[-1]): one for one in children if "worker" in one.cmdline()}

    def run_cli(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command against the server."""
        return run_cli(self.address, *arguments, status=status)

    def engine(self) -> psutil.Process:
        """The embedded engine."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        [engine] = [one for one in children if "valkey-server" in one.name()]
        return engine


def run_cli(address: str, *arguments: str, status: int = 0, given: str = "") -> subprocess.CompletedProcess[str]:
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
    """Run the server until the context closes."""
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env=environment(**{"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DRAIN": "0", **settings}),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",  # gRPC repeats what it does not understand, byte for byte.
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
            pytest.fail(f"it ended: {lines}")
        address = lines[-1]["address"]
        reader.start()  # A server whose log nobody reads stands still when the pipe is full.
        yield ServerProcess(process, address, lines)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        if reader.ident:
            reader.join(30)
        stderr.close()


def _line(text: str) -> dict[str, Any]:
    """A line of the log; what is not one, such as an error of a worker that does not start, under `said`."""
    if not text.startswith("{"):
        return {"event": "", "said": text}
    line: dict[str, Any] = json.loads(text)
    return line


async def wait_for_log_lines(
    server_process: ServerProcess, event: str, count: int = 1, **told: Any
) -> list[dict[str, Any]]:
    """The lines of an event, once there are so many; the bound is only for when there never are."""
    for _ in range(600):
        found = [line for line in server_process.log if line["event"] == event and told.items() <= line.items()]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"no {count} lines of {event} {told}: {server_process.log}")


@contextmanager
def drain_stderr(process: subprocess.Popen[str]) -> Iterator[None]:
    """Read what a process logs, and end it, so that it never waits for a reader."""
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
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), TIMEOUT)
        yield channel


def wait_for_exit(process: psutil.Process, seconds: float = 20.0) -> None:
    """Fail if the process lives on; the bound is generous, and only for when it does."""
    psutil.wait_procs([process], timeout=seconds)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def wait_for_health(channel: grpc.aio.Channel, wanted: health_pb2.HealthCheckResponse.ServingStatus) -> None:
    """Wait for a state of readiness; the bound is only for when it never comes."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        if (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT)).status == wanted:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"readiness never became {wanted}")
