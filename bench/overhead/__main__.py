"""What the service costs over the engine, over bare gRPC, and beside the Valkey cookbook's way.

    python -m bench.overhead [--memories 10000] [--valkey URL] [--rounds 3] [--picture bench/overhead.png] [--native]
                             [--beside CHECKOUT]

Store and Search with ready embeddings of 1536 dimensions, k = 10, within one of a hundred users, on one engine, in
turns:

- service: `memory-service serve`, a process of its own, over gRPC on loopback
- bare gRPC: a grpc.aio server that answers the very same bytes without doing anything (bench/overhead/bare_grpc_server.py); with --native
  also by pygrpc-native, if that is installed
- gRPC, GLIDE: the same, but for each call it runs the command through GLIDE: what no service in Python gets below
- checkout: the service of another checkout, given with --beside, to see what a change costs
- GLIDE: the same commands straight through the service's pool of connections, in the caller's process
- cookbook: as the Valkey cookbook does it, json.dumps of Python floats, whole documents back, one connection

Services are loaded by h2load (Debian's nghttp2-client), which is not the bottleneck; what they answer is verified by a
gRPC client before. Printed are calls a second with 16 callers, the median of one caller's, the server's CPU time a call
from the operating system, and ratios to the service, medians of the rounds: absolute figures depend on the machine.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop
from matplotlib.figure import Figure
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import Running, framed, h2load, process, random_embeddings
from bench.locomo.__main__ import embedded
from bench.overhead.in_process import (
    CONTENT,
    DIMENSION,
    INDEX,
    USERS,
    K,
    Work,
    one_connection,
    works_by_the_book,
    works_directly,
)
from memory_service.cli.client import Stub, connect
from memory_service.domain.types import Embedding
from memory_service.embedded.process import free_port
from memory_service.logs import log_to_stderr
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

CALLERS = 16


@dataclass(frozen=True)
class Figures:
    """Of one way in one round: calls a second, the median of one caller's in seconds, server CPU seconds a call."""

    rate: float
    median: float
    cpu: float = float("nan")


Measured = dict[str, list[Figures]]
"""Of each way, its figures in each round."""


async def main(count: int, url: str, rounds: int, picture: Path | None, *, native: bool, beside: Path | None) -> None:
    """Run all rounds, print the tables and draw them."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded())
        embeddings = random_embeddings(count, DIMENSION)
        settings = {
            "MEMORY_LISTEN": "127.0.0.1:0",
            "MEMORY_VALKEY_URL": url,
            "MEMORY_INDEX": INDEX,
            "MEMORY_DRAIN": "0",
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(process("-m", "memory_service", "serve", ready="serving", **settings))
        address = json.loads(service.line)["address"]
        memories = await stack.enter_async_context(connect(address))
        await fill(memories, embeddings)
        requests, responses = await sample(memories, embeddings[0])
        for name, message in (requests | responses).items():
            (folder / name).write_bytes(message)
        for name, message in requests.items():
            (folder / f"{name}.body").write_bytes(framed(message))
        files = (str(folder / "stored"), str(folder / "found"))
        bare: dict[str, tuple[Running, str]] = {}
        options = {"bare gRPC": [], "gRPC, GLIDE": ["--glide", url]}
        if native:
            options["bare pygrpc-native"] = ["--native"]
        for name, given in options.items():
            port = str(free_port())
            answering = stack.enter_context(
                process("-m", "bench.overhead.bare_grpc_server", port, *files, *given, ready="serving")
            )
            bare[name] = (answering, f"127.0.0.1:{port}")
        if beside is not None:
            there = {"PYTHONPATH": f"{beside}:{beside / 'clients/python/src'}", "PYTHONSAFEPATH": "1"}
            other = stack.enter_context(process("-m", "memory_service", "serve", ready="serving", **settings, **there))
            bare["checkout"] = (other, json.loads(other.line)["address"])
        direct = Connections(parse_url(url, connections=8))
        await direct.open()
        stack.push_async_callback(direct.close)
        book = await one_connection(url)
        stack.push_async_callback(book.close)
        print(f"{count} memories of {DIMENSION} dimensions, {USERS} users, k = {K}, {CALLERS} callers, {rounds} rounds")
        tables = {}
        for method, body in (("Search", folder / "search.body"), ("Store", folder / "store.body")):
            ways: dict[str, Callable[[], Awaitable[Figures]]] = {
                "service": loaded(service, address, method, body),
                **{name: loaded(*one, method, body) for name, one in bare.items()},
                "GLIDE": called(works_directly(direct, embeddings)[method]),
                "cookbook": called(works_by_the_book(book, embeddings)[method]),
            }
            tables[method] = await compare(method, ways, rounds)
            service.check(method)
        if picture is not None:
            draw(tables, picture)
        await memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=60)


async def compare(method: str, ways: dict[str, Callable[[], Awaitable[Figures]]], rounds: int) -> Measured:
    """Measure each way in each round, and print the medians."""
    measured: Measured = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            measured[name].append(await ways[name]())
    print(f"\n| {method} | calls/s | ratio | one caller, median ms | ratio | server CPU us | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    base = measured["service"]
    for name, figures in measured.items():
        rate, median, cpu = (
            statistics.median(getattr(one, field) for one in figures) for field in ("rate", "median", "cpu")
        )
        of_rate, of_median, of_cpu = (
            statistics.median(getattr(b, field) / getattr(a, field) for a, b in zip(figures, base, strict=True))
            for field in ("rate", "median", "cpu")
        )
        cpu_told = f"{cpu * 1e6:.0f} | {of_cpu:.2f}" if cpu == cpu else "- | -"  # noqa: PLR0124 - not a number
        rates = [b.rate / a.rate for a, b in zip(figures, base, strict=True)]
        rate_told = f"{rate:,.0f} | {of_rate:.2f} ({min(rates):.2f} to {max(rates):.2f})"
        print(f"| {name} | {rate_told} | {median * 1000:.2f} | {of_median:.2f} | {cpu_told} |")
    return measured


def draw(tables: dict[str, Measured], picture: Path) -> None:
    """The service's throughput as a share of each other way's, with the spread of the rounds."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    for number, (method, measured) in enumerate(tables.items()):
        axes = figure.add_subplot(1, len(tables), number + 1)
        for place, figures in enumerate(list(measured.values())[1:]):
            ratios = [b.rate / a.rate for a, b in zip(figures, measured["service"], strict=True)]
            middle = statistics.median(ratios)
            spread = [[middle - min(ratios)], [max(ratios) - middle]]
            bar = axes.barh(place, middle, xerr=spread, capsize=3)
            axes.bar_label(bar, fmt="%.2f", padding=5, fontsize=8)
        axes.axvline(1, color="grey", linestyle="--", linewidth=1)
        axes.set_yticks(range(len(measured) - 1), list(measured)[1:], fontsize=8)
        axes.margins(x=0.2)
        axes.set_title(f"{method}: calls/s of the service / of", fontsize=9)
    figure.savefig(picture, dpi=130)


def loaded(server: Running, address: str, method: str, body: Path) -> Callable[[], Awaitable[Figures]]:
    """The figures of a server under h2load."""

    async def measure() -> Figures:
        alone = h2load(address, method, body, calls=300, connections=1, streams=1)
        before = server.cpu()
        calls = 3000 if method == "Search" else 1500
        full = h2load(address, method, body, calls=calls, connections=4, streams=CALLERS // 4)
        return Figures(full.rate, alone.median, (server.cpu() - before) / calls)

    return measure


def called(work: Work) -> Callable[[], Awaitable[Figures]]:
    """The figures of calls in this process."""

    async def measure() -> Figures:
        times = []
        for number in range(300):
            started = time.perf_counter()
            await work(number)
            times.append(time.perf_counter() - started)
        return Figures(await rate(work, 1500, CALLERS), statistics.median(times))

    return measure


async def rate(work: Work, count: int, callers: int) -> float:
    """Calls a second with this many callers."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await work(number)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


async def fill(memories: Stub, embeddings: Sequence[Embedding]) -> None:
    """An index of these, spread over the users."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        await memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=120)
    ensure = pb.EnsureIndexRequest(
        index=INDEX, dimension=DIMENSION, embedding_model="bench", algorithms=["ALGORITHM_FLAT"]
    )
    await memories.EnsureIndex(ensure, timeout=60)
    numbers = iter(range(len(embeddings)))
    while batch := list(itertools.islice(numbers, 50)):
        items = [store_request(f"user{n % USERS}", embeddings[n]) for n in batch]
        await memories.BatchStore(pb.BatchStoreRequest(memories=items), timeout=60)


def store_request(user: str, embedding: Embedding) -> pb.StoreRequest:
    """A Store of one message."""
    return pb.StoreRequest(
        user_id=user, session_id="s", role=memory_pb2.ROLE_USER, content=CONTENT, embedding=embedding.tobytes()
    )


async def sample(memories: Stub, embedding: Embedding) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The requests under load, and what the service answers to them, verified."""
    store = store_request("user0", embedding)
    search = pb.SearchRequest(query_embedding=embedding.tobytes(), filter=memory_pb2.MemoryFilter(user_id="user0"), k=K)
    stored = await memories.Store(store, timeout=30)
    [found] = [response async for response in memories.Search(search, timeout=30)]
    assert len(found.hits) == K
    assert abs(found.hits[0].score - 1) < 1e-5
    requests = {"store": store.SerializeToString(), "search": search.SerializeToString()}
    return requests, {"stored": stored.SerializeToString(), "found": found.SerializeToString()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--valkey", default="", help="an engine's URL; a new embedded one when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="where to write a picture of the ratios (PNG)")
    parser.add_argument("--native", action="store_true", help="bare gRPC also by pygrpc-native")
    parser.add_argument("--beside", type=Path, help="another checkout, whose service is measured too")
    given = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(
        main(given.memories, given.valkey, given.rounds, given.picture, native=given.native, beside=given.beside)
    )
