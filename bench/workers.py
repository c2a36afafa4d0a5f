"""What a second worker brings: calls a second of `serve --workers` 1 and 2, in turns, over 64 connections.

    python -m bench.workers --valkey URL [--rounds 5] [--share 0.25]

Two calls: a health check, where the engine has no part, and a Search as in bench.overhead. The load generator (h2load)
and the engine have their share of the machine too: `cores` tells how many of them the server itself was using. On a
machine with few, --share gives each worker no more than this part of one, by a control group of its own (Linux, as
root), so that neither the engine nor the load generator is what limits them.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import uvloop
from grpc_health.v1 import health_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import Running, framed, h2load, process, random_embeddings
from bench.overhead.__main__ import fill, sample
from bench.overhead.in_process import DIMENSION, INDEX
from memory_service.cli.client import connect
from memory_service.logs import log_to_stderr
from memory_service.rpc.server import SERVICE

HEALTH, CONNECTIONS = "grpc.health.v1.Health", 64
_PERIOD = 50_000
"""Microseconds: how often a share is dealt out."""
CALLS = {"Check": (HEALTH, 10_000), "Search": (SERVICE, 3_000)}


async def main(url: str, rounds: int, share: float | None) -> None:
    """Measure and print."""
    settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_VALKEY_URL": url, "MEMORY_INDEX": INDEX, "MEMORY_DRAIN": "0"}
    async with contextlib.AsyncExitStack() as stack:
        serve = ("-m", "memory_service", "serve")
        servers = {
            count: stack.enter_context(process(*serve, ready='"serving"', MEMORY_WORKERS=str(count), **settings))
            for count in (1, 2)
        }
        addresses = {count: str(json.loads(one.line)["address"]) for count, one in servers.items()}
        memories = await stack.enter_async_context(connect(addresses[1]))
        embeddings = random_embeddings(5_000, DIMENSION)
        await fill(memories, embeddings)
        requests, _ = await sample(memories, embeddings[0])
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        check = health_pb2.HealthCheckRequest(service=SERVICE).SerializeToString()
        bodies = {"Check": check, "Search": requests["search"]}
        for name, message in bodies.items():
            (folder / name).write_bytes(framed(message))
        await asyncio.sleep(5)  # The second worker starts after the first.
        if share is not None:
            for server in servers.values():
                for pid in [one.pid for one in psutil.Process(server.pid).children()] or [server.pid]:
                    stack.enter_context(limited(pid, share))
        print("| call | 1 worker, calls/s (cores) | 2 workers, calls/s (cores) | ratio, median (least to most) |")
        print("| --- | --- | --- | --- |")
        for method in CALLS:
            measured: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
            for _ in range(rounds):
                for count, found in measured.items():
                    found.append(load(servers[count], addresses[count], method, folder / method))
            ratios = sorted(two[0] / one[0] for one, two in zip(measured[1], measured[2], strict=True))
            cells = []
            for one in measured.values():
                rate, cores = (statistics.median(each) for each in zip(*one, strict=True))
                cells.append(f"{rate:,.0f} ({cores:.2f})")
            spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            print(f"| {method} | {' | '.join(cells)} | {spread} |")
        for server in servers.values():
            server.check("Search")
        await memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=60)


@contextlib.contextmanager
def limited(pid: int, share: float) -> Iterator[None]:
    """While the context is open, this process has no more than this share of a core."""
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


def load(server: Running, address: str, method: str, body: Path) -> tuple[float, float]:
    """Calls a second, and cores that the server used."""
    service, calls = CALLS[method]
    used, started = server.cpu(), time.perf_counter()
    found = h2load(address, method, body, calls=calls, connections=CONNECTIONS, streams=1, service=service)
    return found.rate, (server.cpu() - used) / (time.perf_counter() - started)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", required=True, help="the engine's URL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, help="of a core for each worker; as much as there is when left out")
    given = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(given.valkey, given.rounds, given.share))
