"""What the service costs over the engine, over bare gRPC, and beside the Valkey cookbook's way.

    python -m bench.overhead [--memories 10000] [--valkey URL] [--rounds 3] [--native]

Store and Search with ready embeddings of 1536 dimensions, k = 10, within one of a hundred users, on one engine, in
turns:

- service: `memory-service serve`, a process of its own, over gRPC on loopback
- bare gRPC: a grpc.aio server that answers the very same bytes without doing anything (bench/bare.py); with --native
  also by pygrpc-native, if that is installed
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
import struct
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import glide
import grpc
import uvloop
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.load import Running, framed, h2load, process, random_embeddings
from bench.locomo import embedded
from memory_service.cli.client import Stub, connect
from memory_service.embedded.process import free_port
from memory_service.engine import Connections
from memory_service.engine.documents import encode_fields
from memory_service.engine.layouts import layout_of
from memory_service.engine.queries import WHOLE, Searching, filter_text, knn_command
from memory_service.engine.replies import parse_search
from memory_service.engine.url import parse_url
from memory_service.logs import log_to_stderr
from memory_service.memory.types import Embedding, Filter, Layout, Memory, Role

DIMENSION, USERS, K, CALLERS = 1536, 100, 10, 16
INDEX = "bench_overhead"
CONTENT = "a message of some words about this and that"
Work = Callable[[int], Awaitable[object]]


@dataclass(frozen=True)
class Figures:
    """Of one way in one round: calls a second, the median of one caller's in seconds, server CPU seconds a call."""

    rate: float
    median: float
    cpu: float = float("nan")


async def main(count: int, url: str, rounds: int, *, native: bool) -> None:
    """Run all rounds and print the tables."""
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
        for name, options in {"bare gRPC": [], **({"bare pygrpc-native": ["--native"]} if native else {})}.items():
            port = str(free_port())
            answering = stack.enter_context(process("-m", "bench.bare", port, *files, *options, ready="serving"))
            bare[name] = (answering, f"127.0.0.1:{port}")
        direct = Connections(parse_url(url, connections=8))
        await direct.open()
        stack.push_async_callback(direct.close)
        book = await one_connection(url)
        stack.push_async_callback(book.close)
        print(f"{count} memories of {DIMENSION} dimensions, {USERS} users, k = {K}, {CALLERS} callers, {rounds} rounds")
        for method, body in (("Search", folder / "search.body"), ("Store", folder / "store.body")):
            ways: dict[str, Callable[[], Awaitable[Figures]]] = {
                "service": loaded(service, address, method, body),
                **{name: loaded(*one, method, body) for name, one in bare.items()},
                "GLIDE": called(works_directly(direct, embeddings)[method]),
                "cookbook": called(works_by_the_book(book, embeddings)[method]),
            }
            await compare(method, ways, rounds)
            service.check(method)
        await memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=60)


async def compare(method: str, ways: dict[str, Callable[[], Awaitable[Figures]]], rounds: int) -> None:
    """Measure each way in each round, and print the medians."""
    measured: dict[str, list[Figures]] = {name: [] for name in ways}
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


def works_directly(connections: Connections, embeddings: Sequence[Embedding]) -> dict[str, Work]:
    """The same commands without a service, through the same pool."""

    async def store(n: int) -> object:
        slot = uuid.uuid4().hex
        memory = Memory(slot, f"user{n % USERS}", "s", Role.USER, CONTENT, n)
        fields = encode_fields(memory, ["messag", "word"], own_id=False)
        embedding = embeddings[n % len(embeddings)]
        return await connections.run(layout_of(Layout.JSON).insert(f"mem_{INDEX}:{slot}", fields, embedding))

    async def search(n: int) -> object:
        searching = Searching(f"{INDEX}_flat", 5000, all_shards=False)
        where = filter_text(Filter(f"user{n % USERS}"))
        embedding = embeddings[n % len(embeddings)]
        reply = await connections.run(knn_command(searching, where, embedding, K, ef_runtime=None, returned=WHOLE))
        return parse_search(reply, f"mem_{INDEX}:")

    return {"Store": store, "Search": search}


def works_by_the_book(client: Any, embeddings: Sequence[Embedding]) -> dict[str, Work]:
    """As the Valkey cookbook does it, with one connection."""

    async def store(n: int) -> object:
        document = {
            "session_id": "s",
            "user_id": f"user{n % USERS}",
            "role": "user",
            "content": CONTENT,
            "timestamp": time.time(),
            "embedding": [float(one) for one in embeddings[n % len(embeddings)]],
        }
        return await glide.glide_json.set(client, f"mem_{INDEX}:{uuid.uuid4()}", "$", json.dumps(document))

    async def search(n: int) -> object:
        query = f"(@user_id:{{user{n % USERS}}})=>[KNN {K} @embedding $vec AS score]"
        vec = struct.pack(f"{DIMENSION}f", *embeddings[n % len(embeddings)])
        command = ["FT.SEARCH", f"{INDEX}_flat", query, "PARAMS", "2", "vec", vec, "LIMIT", "0", str(K), "DIALECT", "2"]
        found = await client.custom_command(command)
        return [(json.loads(one[b"$"]), 1 - float(one[b"score"])) for one in found[1].values()]

    return {"Store": store, "Search": search}


async def one_connection(url: str) -> glide.GlideClient:
    """A client as the cookbook makes it; RESP2, for RediSearch."""
    settings = parse_url(url)
    password = settings.password
    return await glide.GlideClient.create(
        glide.GlideClientConfiguration(
            [glide.NodeAddress(one.host, one.port) for one in settings.addresses],
            credentials=None if password is None else glide.ServerCredentials(password, settings.username),
            protocol=glide.ProtocolVersion.RESP2,
            request_timeout=10_000,
        )
    )


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
    parser.add_argument("--native", action="store_true", help="bare gRPC also by pygrpc-native")
    arguments = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(arguments.memories, arguments.valkey, arguments.rounds, native=arguments.native))
