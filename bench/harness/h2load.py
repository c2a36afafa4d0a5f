"""h2load (Debian's nghttp2-client) as the load generator: one request, sent again and again over many connections."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memory_service.rpc.server import SERVICE


@dataclass(frozen=True)
class LoadResult:
    """Calls a second, and the median and 99th percentile of a call's time in seconds."""

    rate: float
    median: float
    p99: float


def run_h2load(
    address: str, method: str, body: Path, *, calls: int, connections: int, streams: int, service: str = SERVICE
) -> LoadResult:
    """Send one call `calls` times, with `streams` at once on each connection.

    h2load reads neither responses nor gRPC's status. Verify the response before, and the server's log afterwards:
    see `ServerProcess.require_all_ok`.

    Args:
        body: a file with one framed message: see `grpc_frame`.
    """
    program = shutil.which("h2load")
    assert program, "h2load is not installed: install Debian's nghttp2-client"
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    url = f"http://{address}/{service}/{method}"
    with tempfile.NamedTemporaryFile("r") as log:
        options = ["-n", str(calls), "-c", str(connections), "-m", str(streams), "-d", str(body)]
        command = [program, *options, f"--log-file={log.name}", *headers, url]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert f"{calls} succeeded, 0 failed" in output, output
        microseconds = [int(line.split("\t")[2]) for line in log]
    [rate] = re.findall(r"([\d.]+) req/s", output)
    median, p99 = np.percentile(microseconds, [50, 99]) / 1e6
    return LoadResult(float(rate), float(median), float(p99))


def grpc_frame(message: bytes) -> bytes:
    """Return a message with gRPC's length prefix."""
    return b"\0" + len(message).to_bytes(4, "big") + message
