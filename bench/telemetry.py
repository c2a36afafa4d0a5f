"""What telemetry costs: the same searches on servers with nothing, a log line for each call, metrics, traces, and all.

    python -m bench.telemetry [--memories 2000] [--callers 8] [--rounds 7]

Each server is a process of its own, on one engine, in turns within each round. Printed are searches a second and
CPU time of the server for one search, and their ratios to the server with nothing; the medians of the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import cast

import grpc
import psutil
import uvloop
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from bench.harness.processes import random_embeddings
from bench.overhead.__main__ import rate
from bench.overhead.in_process import USERS
from memory_service.cli.client import Stub
from memory_service.domain.embeddings import pack_embedding
from memory_service.embedded import EmbeddedValkey
from memory_service.embedded.process import free_port

QUIET = {"MEMORY_LOG_LEVEL": "error"}
METRICS = {"MEMORY_METRICS_LISTEN": "127.0.0.1:0"}
Figures = tuple[float, float]


class Server:
    """A server process, and the client that measures it."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process = psutil.Process(process.pid)
        self.channel = grpc.aio.insecure_channel(address)
        self.stub = cast("Stub", MemoryServiceStub(self.channel))

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        times = self.process.cpu_times()
        return times.user + times.system


async def main(memories: int, callers: int, rounds: int) -> None:
    """Run all rounds and print the table."""
    packed = [pack_embedding(one) for one in random_embeddings(memories, 384)]
    with ExitStack() as stack:
        valkey = EmbeddedValkey(Path(stack.enter_context(tempfile.TemporaryDirectory())), appendfsync="no")
        await valkey.start()
        engine = {"MEMORY_VALKEY_URL": f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"}
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(collector())}
        servers = {
            name: stack.enter_context(server(**engine, **settings))
            for name, settings in {
                "nothing": QUIET,
                "log": {},
                "metrics": QUIET | METRICS,
                "traces": QUIET | traces,
                "all": METRICS | traces,
            }.items()
        }
        first = servers["nothing"].stub
        await first.EnsureIndex(pb.EnsureIndexRequest(), timeout=60, wait_for_ready=True)
        for n, embedding in enumerate(packed):
            item = pb.StoreRequest(
                user_id=f"u{n % USERS}", role=memory_pb2.ROLE_USER, content="some words", embedding=embedding
            )
            await first.Store(item, timeout=30)
        figures: dict[str, list[Figures]] = {name: [] for name in servers}
        for number in range(rounds + 1):
            names = list(servers)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found = await measure(servers[name], packed, callers)
                if number:  # The first is for warming up.
                    figures[name].append(found)
        print(f"{memories} memories, Search within one user, k=5, {callers} callers, {rounds} rounds")
        print(f"{'':<12}{'searches':>12}{'CPU of one':>12}{'rate':>8}{'CPU':>8}")
        for name, measured in figures.items():
            pairs = list(zip(measured, figures["nothing"], strict=True))
            told = [statistics.median(one[side] for one in measured) for side in (0, 1)]
            ratios = [statistics.median(one[side] / plain[side] for one, plain in pairs) for side in (0, 1)]
            print(f"{name:<12}{told[0]:>10,.0f}/s{told[1] * 1e6:>9,.0f} µs{ratios[0]:>8.2f}{ratios[1]:>8.2f}")
        for one in servers.values():
            await one.channel.close()
        await valkey.stop()


async def measure(server: Server, packed: list[bytes], callers: int) -> Figures:
    """Searches a second, and seconds of CPU for one."""

    async def work(n: int) -> object:
        request = pb.SearchRequest(
            query_embedding=packed[n], filter=memory_pb2.MemoryFilter(user_id=f"u{n % USERS}"), k=5
        )
        return [response async for response in server.stub.Search(request, timeout=30)]

    before = server.cpu()
    found = await rate(work, len(packed), callers)
    return found, (server.cpu() - before) / len(packed)


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """A server with these settings, whose log goes to a file that nobody reads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMORY_", "OTEL_"))}
    port = free_port()
    with tempfile.TemporaryFile() as log:
        environment = {**kept, "MEMORY_LISTEN": f"127.0.0.1:{port}", "MEMORY_DRAIN": "0", **settings}
        process = subprocess.Popen([sys.executable, "-m", "memory_service", "serve"], env=environment, stderr=log)
        try:
            yield Server(process, f"127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()


@contextmanager
def collector() -> Iterator[str]:
    """An OTLP collector that takes everything and keeps nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    taking = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=taking.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{taking.server_port}"
    taking.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    uvloop.run(main(arguments.memories, arguments.callers, arguments.rounds))
