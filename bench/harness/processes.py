"""Server processes, and h2load (Debian's nghttp2-client) to load them: what benchmarks have in common."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from memory_service.domain.types import Embedding
from memory_service.rpc.server import SERVICE


@dataclass(frozen=True)
class Running:
    """A process, the line by which it said that it serves, and all that it has said since."""

    pid: int
    line: str
    said: Path

    def check(self, method: str) -> None:
        """Fail when any call of this method has ended otherwise than OK: h2load does not look at gRPC's status."""
        with self.said.open() as lines:
            failed = [line for line in lines if f'"method":"{method}"' in line and '"code":"OK"' not in line]
        assert not failed, failed[0]

    def cpu(self) -> float:
        """The CPU time that it and its workers have taken so far, in seconds."""
        family = [psutil.Process(self.pid), *psutil.Process(self.pid).children()]
        return float(sum(times.user + times.system for times in (one.cpu_times() for one in family)))


@contextlib.contextmanager
def process(*arguments: str, ready: str, **environment: str) -> Iterator[Running]:
    """A Python process with these arguments, while the context is open; in its output `ready` tells that it serves."""
    # A file, not a pipe: one that nobody reads any longer would stop the server at the first full buffer of its log.
    with (
        tempfile.NamedTemporaryFile("a+") as said,
        subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **environment}, stdout=said, stderr=subprocess.STDOUT
        ) as one,
    ):
        try:
            while True:
                said.seek(0)
                if lines := [line for line in said if ready in line]:
                    break
                assert one.poll() is None, "it ended before it served"
                time.sleep(0.05)
            yield Running(one.pid, lines[0], Path(said.name))
        finally:
            one.terminate()


@dataclass(frozen=True)
class Load:
    """Of one run: calls a second, and times of a call in seconds."""

    rate: float
    median: float
    p99: float


def h2load(
    address: str, method: str, body: Path, *, calls: int, connections: int, streams: int, service: str = SERVICE
) -> Load:
    """The same call again and again, over so many connections with so many at once in each. The body is a file with one
    message of gRPC: see `framed`. What it answers has to be verified beforehand, and gRPC's status in the server's log
    afterwards: see `Running.check`."""
    program = shutil.which("h2load")
    assert program, "install Debian's nghttp2-client"
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    path = f"http://{address}/{service}/{method}"
    with tempfile.NamedTemporaryFile("r") as log:
        options = ["-n", str(calls), "-c", str(connections), "-m", str(streams), "-d", str(body)]
        command = [program, *options, f"--log-file={log.name}", *headers, path]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert f"{calls} succeeded, 0 failed" in told, told
        microseconds = [int(line.split("\t")[2]) for line in log]
    [rate] = re.findall(r"([\d.]+) req/s", told)
    median, p99 = np.percentile(microseconds, [50, 99]) / 1e6
    return Load(float(rate), float(median), float(p99))


def framed(message: bytes) -> bytes:
    """A message as gRPC puts it into a body."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def random_embeddings(count: int, dimension: int, *, seed: int = 7) -> list[Embedding]:
    """Unit vectors, the same in every run."""
    made = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    return list(made / np.linalg.norm(made, axis=1, keepdims=True))
