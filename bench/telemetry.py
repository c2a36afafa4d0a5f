"""How much do logs, metrics and traces cost?

    python -m bench.telemetry [--memories 2000] [--callers 8] [--rounds 7]

The same searches on servers with no telemetry, a log line for each call, metrics, a trace of every call, and all three.
Each server is a process of its own on one engine, each in turn within each round. The table has searches a second, the
server's CPU time for one search, and the ratios of both to the server with no telemetry: medians of the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import uvloop
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.data import random_embeddings
from bench.harness.engine import embedded_engine
from bench.harness.processes import cpu_seconds
from bench.harness.rounds import calls_per_second, ratios, rotate
from memory_service.cli.client import Stub, connect
from memory_service.domain.embeddings import pack_embedding
from memory_service.embedded.process import free_port

USERS = 100
START_TIMEOUT = 180
"""Seconds that five servers may take to start on a busy machine."""
QUIET = {"MEMORY_LOG_LEVEL": "error"}
METRICS = {"MEMORY_METRICS_LISTEN": "127.0.0.1:0"}


@dataclass(frozen=True)
class Server:
    """A server process and a client of it."""

    pid: int
    stub: Stub


@dataclass(frozen=True)
class Measurement:
    """Searches a second, and seconds of CPU time for one."""

    rate: float
    cpu: float


async def main(memories: int, callers: int, rounds: int) -> None:
    """Run all rounds and print the table."""
    embeddings = [pack_embedding(embedding) for embedding in random_embeddings(memories, 384)]
    async with AsyncExitStack() as stack:
        engine = {"MEMORY_VALKEY_URL": await stack.enter_async_context(embedded_engine())}
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(collector())}
        variants = {
            "nothing": QUIET,
            "log": {},
            "metrics": QUIET | METRICS,
            "traces": QUIET | traces,
            "all": METRICS | traces,
        }
        servers = {}
        for name, settings in variants.items():
            pid, address = stack.enter_context(server_process(engine | settings))
            servers[name] = Server(pid, await stack.enter_async_context(connect(address)))
        for server in servers.values():  # The first call creates the index; all of them wait until a server is ready.
            await server.stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=START_TIMEOUT, wait_for_ready=True)
        await fill(servers["nothing"].stub, embeddings)
        results: dict[str, list[Measurement]] = {name: [] for name in servers}
        for number in range(rounds + 1):
            for name in rotate(list(servers), number):
                measurement = await measure(servers[name], embeddings, callers)
                if number:  # The first round is a warm-up.
                    results[name].append(measurement)
        print(f"{memories} memories, Search within one user, k=5, {callers} callers, {rounds} rounds")
        print(table(results))


async def fill(stub: Stub, embeddings: Sequence[bytes]) -> None:
    """Store one memory for each embedding, spread over the users."""
    for n, embedding in enumerate(embeddings):
        request = pb.StoreRequest(
            user_id=f"u{n % USERS}", role=memory_pb2.ROLE_USER, content="some words", embedding=embedding
        )
        await stub.Store(request, timeout=30)


async def measure(server: Server, embeddings: Sequence[bytes], callers: int) -> Measurement:
    """Search once by each embedding."""

    async def search(n: int) -> object:
        where = memory_pb2.MemoryFilter(user_id=f"u{n % USERS}")
        request = pb.SearchRequest(query_embedding=embeddings[n], filter=where, k=5)
        return [response async for response in server.stub.Search(request, timeout=30)]

    cpu_before = cpu_seconds(server.pid)
    rate = await calls_per_second(search, len(embeddings), callers)
    return Measurement(rate, (cpu_seconds(server.pid) - cpu_before) / len(embeddings))


def table(results: Mapping[str, Sequence[Measurement]]) -> str:
    """Format the medians, and their ratios to the server with no telemetry."""
    lines = [f"{'':<12}{'searches':>12}{'CPU of one':>12}{'rate':>8}{'CPU':>8}"]
    rates = {name: [one.rate for one in of_server] for name, of_server in results.items()}
    cpus = {name: [one.cpu for one in of_server] for name, of_server in results.items()}
    for name in results:
        medians = f"{statistics.median(rates[name]):>10,.0f}/s{statistics.median(cpus[name]) * 1e6:>9,.0f} µs"
        rate_ratio = statistics.median(ratios(rates[name], rates["nothing"]))
        cpu_ratio = statistics.median(ratios(cpus[name], cpus["nothing"]))
        lines.append(f"{name:<12}{medians}{rate_ratio:>8.2f}{cpu_ratio:>8.2f}")
    return "\n".join(lines)


@contextmanager
def server_process(settings: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Run a service with these settings alone. Yield its process id and address, before it is ready.

    A quiet server logs no line from which `service_process` could tell that it is ready.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MEMORY_", "OTEL_"))}
    address = f"127.0.0.1:{free_port()}"
    environment = {**inherited, "MEMORY_LISTEN": address, "MEMORY_DRAIN": "0", **settings}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-m", "memory_service", "serve"], env=environment, stderr=log)
        try:
            yield process.pid, address
        finally:
            process.terminate()
            process.wait()


@contextmanager
def collector() -> Iterator[str]:
    """Run an OTLP collector that accepts and discards everything. Yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http_server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http_server.server_port}"
    http_server.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    uvloop.run(main(args.memories, args.callers, args.rounds))
