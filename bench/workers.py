"""What a second worker brings: calls a second of `serve --workers` 1 and 2, in turns, over 16 connections.

    python -m bench.workers --valkey URL [--rounds 5]

Two calls: a health check, where the engine has no part, and a Search as in bench.overhead. The load generator (h2load)
and the engine have their share of the machine too: `cores` tells how many of them the server itself was using.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

import uvloop
from grpc_health.v1 import health_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.load import Running, framed, h2load, process, random_embeddings
from bench.overhead import fill, sample
from bench.ways import DIMENSION, INDEX
from memory_service.cli.client import connect
from memory_service.logs import log_to_stderr
from memory_service.rpc.server import SERVICE

HEALTH, CONNECTIONS = "grpc.health.v1.Health", 16
CALLS = {"Check": (HEALTH, 10_000), "Search": (SERVICE, 3_000)}


async def main(url: str, rounds: int) -> None:
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
    given = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(given.valkey, given.rounds))
