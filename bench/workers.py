"""How much throughput does a second worker add?

    python -m bench.workers --valkey URL [--rounds 5] [--share 0.25]

Calls a second of `serve --workers` 1 and 2, each in turn within each round, over 64 connections. Two calls: a health
check, which does not use the engine, and a Search as in bench.overhead. The load generator (h2load) and the engine run
on the same machine: `cores` shows how many cores the server itself used. On a machine with few cores, --share limits
each worker to this share of a core by a control group (Linux, as root), so that neither the engine nor the load
generator is the bottleneck.
"""

import argparse
import asyncio
import contextlib
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import uvloop
from grpc_health.v1 import health_pb2

from bench.harness.data import random_embeddings
from bench.harness.h2load import grpc_frame, run_h2load
from bench.harness.processes import ServiceProcess, service_process
from bench.harness.rounds import ratios, spread
from bench.harness.tables import header, row
from bench.overhead.workload import DIMENSION, INDEX, drop, fill, verified_exchanges
from memory_service.cli.client import connect
from memory_service.logs import log_to_stderr
from memory_service.rpc.server import SERVICE

HEALTH, CONNECTIONS, MEMORIES = "grpc.health.v1.Health", 64, 5_000
CALLS = {"Check": (HEALTH, 10_000), "Search": (SERVICE, 3_000)}
"""The service and the number of calls, by method."""
COLUMNS = ("call", "1 worker, calls/s (cores)", "2 workers, calls/s (cores)", "ratio, median (least to most)")
_PERIOD = 50_000
"""Microseconds in which a control group may use its share once."""
Measurement = tuple[float, float]
"""Calls a second, and cores that the server used."""


async def main(url: str, rounds: int, share: float | None) -> None:
    """Measure and print."""
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            count: stack.enter_context(
                service_process(MEMORY_WORKERS=str(count), MEMORY_VALKEY_URL=url, MEMORY_INDEX=INDEX)
            )
            for count in (1, 2)
        }
        stub = await stack.enter_async_context(connect(servers[1].address))
        embeddings = random_embeddings(MEMORIES, DIMENSION)
        await fill(stub, embeddings)
        exchanges = await verified_exchanges(stub, embeddings[0])
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        check = health_pb2.HealthCheckRequest(service=SERVICE).SerializeToString()
        for method, request in (("Check", check), ("Search", exchanges["Search"].request)):
            (folder / method).write_bytes(grpc_frame(request))
        await asyncio.sleep(5)  # The second worker starts after the first.
        if share is not None:
            for server in servers.values():
                for pid in [child.pid for child in psutil.Process(server.pid).children()] or [server.pid]:
                    stack.enter_context(cpu_limit(pid, share))
        print(header(COLUMNS))
        for method in CALLS:
            results: dict[int, list[Measurement]] = {1: [], 2: []}
            for _ in range(rounds):
                for count, measurements in results.items():
                    measurements.append(measure(servers[count], method, folder / method))
            print(result_row(method, results), flush=True)
        for server in servers.values():
            server.require_all_ok("Search")
        await drop(stub)


def measure(server: ServiceProcess, method: str, body: Path) -> Measurement:
    """Load a server."""
    service, calls = CALLS[method]
    cpu_before, started = server.cpu_seconds(), time.perf_counter()
    result = run_h2load(server.address, method, body, calls=calls, connections=CONNECTIONS, streams=1, service=service)
    return result.rate, (server.cpu_seconds() - cpu_before) / (time.perf_counter() - started)


def result_row(method: str, results: dict[int, list[Measurement]]) -> str:
    """Format a line of the table."""
    cells = []
    for measurements in results.values():
        rate, cores = (statistics.median(values) for values in zip(*measurements, strict=True))
        cells.append(f"{rate:,.0f} ({cores:.2f})")
    return row([method, *cells, spread(ratios([rate for rate, _ in results[2]], [rate for rate, _ in results[1]]))])


@contextlib.contextmanager
def cpu_limit(pid: int, share: float) -> Iterator[None]:
    """Limit a process to this share of a core while the context is open."""
    root, name = Path("/sys/fs/cgroup"), f"bench_workers_{pid}"
    quota = str(int(share * _PERIOD))
    if (root / "cpu").is_dir():  # version 1
        root, files = root / "cpu", {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": quota}
    else:
        files = {"cpu.max": f"{quota} {_PERIOD}"}
    group = root / name
    group.mkdir()
    for file, text in files.items():
        (group / file).write_text(text)
    (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        (root / "cgroup.procs").write_text(str(pid))
        group.rmdir()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", required=True, help="the engine's URL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, help="of a core for each worker (default: no limit)")
    args = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(args.valkey, args.rounds, args.share))
