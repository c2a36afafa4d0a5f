"""How the service behaves as memories, callers and users grow.

    python -m bench.scale --valkey URL [--sizes 1000,10000,100000] [--kinds 384-JSON-both,1536-HASH-FLAT,...]

For each kind of index (dimension, layout, algorithms) memories are added up to each size in turn: one user has one
memory, one a hundred, one ten thousand where there is room, and as many others as it takes a hundred each; texts are of
30 words, embeddings random unit vectors. At each size:

- what the engine's memory holds for each memory, documents and indexes together
- writes a second, 16 at a time, straight to the engine
- Search, k = 10, through the API, within each of these users and over everyone: one caller's median and 99th
  percentile, and calls a second of 16
- recall@10 of searches over everyone, against brute force over all embeddings

and at 10,000 memories also 1, 4, 16 and 64 callers within the user of a hundred. Tables go to standard output, a
picture to --picture. The engine should hold nothing else; what was stored is removed.
"""

import argparse
import asyncio
import json
import logging
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop
from matplotlib.figure import Figure
from numpy.typing import NDArray
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import Load, framed, h2load, process, random_embeddings
from memory_service.cli.client import Stub, connect
from memory_service.domain.ids import new_id
from memory_service.domain.text_analysis import terms
from memory_service.domain.types import Algorithm, Embedding, Layout, Memory, Role
from memory_service.logs import log_to_stderr
from memory_service.valkey import Connections, ValkeyIndexes, ValkeyMemories
from memory_service.valkey.url import parse_url

INDEX, K, QUERIES = "bench_scale", 10, 50
USERS = {"one": 1, "hundred": 100, "many": 10_000}
"""How many memories each of these users has."""
CALLERS, CALLERS_AT = (1, 4, 16, 64), 10_000
KINDS = "384-JSON-both,384-HASH-both,384-HASH-FLAT,384-HASH-HNSW,1536-JSON-both,1536-HASH-both"
COLUMNS = (
    *("index", "memories", "KiB each", "writes/s"),
    *("median ms (p99), user of 1", "of 100", "of 10,000", "everyone"),
    *("calls/s, user of 100", "of 10,000", "everyone", "recall@10, everyone"),
)
_WORDS = [f"{first}{second}" for first in "bcdfghklmnprst" for second in ("ali", "one", "under", "ation", "ix", "ough")]


@dataclass(frozen=True)
class Kind:
    """A kind of index."""

    dimension: int
    layout: Layout
    algorithms: tuple[Algorithm, ...]

    @classmethod
    def read(cls, text: str) -> "Kind":
        """The kind of a text such as 384-JSON-both."""
        dimension, layout, algorithms = text.split("-")
        return cls(
            int(dimension), Layout(layout), tuple(Algorithm) if algorithms == "both" else (Algorithm(algorithms),)
        )

    def __str__(self) -> str:
        return f"{self.dimension} {self.layout} {'both' if len(self.algorithms) > 1 else self.algorithms[0]}"


@dataclass
class Figures:
    """What was measured of one kind at one size; loads by scope, and by callers within the user of a hundred."""

    kind: Kind
    size: int
    kib: float
    writes: float
    recall: float
    alone: dict[str, Load]
    together: dict[str, Load]
    callers: dict[int, Load]


class Bench:
    """One engine, one service, and what is measured of them."""

    def __init__(self, engine: Connections, memories: Stub, address: str, folder: Path) -> None:
        self._engine = engine
        self._memories = memories
        self._address = address
        self._folder = folder

    async def grow(self, kind: Kind, sizes: Sequence[int]) -> AsyncIterator[Figures]:
        """The figures at each size."""
        embeddings = random_embeddings(max(sizes), kind.dimension)
        ensure = pb.EnsureIndexRequest(
            index=INDEX,
            dimension=kind.dimension,
            embedding_model="random",
            algorithms=[f"ALGORITHM_{one}" for one in kind.algorithms],
            layout=f"LAYOUT_{kind.layout}",
        )
        before = await self._used()
        await self._memories.EnsureIndex(ensure, timeout=60)
        stored = 0
        for size in sizes:
            writes = await self.fill(range(stored, size), embeddings)
            stored = size
            kib = (await self._used() - before) / size / 1024
            yield await self._measure(kind, size, kib, writes, np.array(embeddings[:size]))
        await self._memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=900)

    async def fill(self, numbers: range, embeddings: Sequence[Embedding]) -> float:
        """Writes a second."""
        index = await ValkeyIndexes(self._engine).describe(INDEX)
        assert index is not None
        store, left = ValkeyMemories(self._engine), iter(numbers)

        async def writer() -> None:
            for number in left:
                content = " ".join(random.Random(number).choices(_WORDS, k=30))
                memory = Memory(new_id(), owner(number), f"s{number // 20}", Role.USER, content, number * 1_000_000)
                assert await store.insert(index, memory.id, memory, embeddings[number], terms(content))

        started = time.perf_counter()
        await asyncio.gather(*(writer() for _ in range(16)))
        return len(numbers) / (time.perf_counter() - started)

    async def _measure(
        self, kind: Kind, size: int, kib: float, writes: float, embeddings: NDArray[np.float32]
    ) -> Figures:
        scopes = {name: memory_pb2.MemoryFilter(user_id=name) for name, count in USERS.items() if 2 * count <= size}
        scopes["everyone"] = memory_pb2.MemoryFilter(all_users=True)
        queries = random_embeddings(QUERIES, kind.dimension, seed=8)
        bodies = {}
        for scope, where in scopes.items():
            request = pb.SearchRequest(index=INDEX, query_embedding=queries[0].tobytes(), filter=where, k=K)
            found = await self.found(request)
            assert len(found) == min(K, USERS.get(scope, K)), f"{len(found)} hits of {scope}"
            bodies[scope] = self._folder / scope
            bodies[scope].write_bytes(framed(request.SerializeToString()))
        return Figures(
            kind,
            size,
            kib,
            writes,
            await self.recall(embeddings, queries),
            {scope: self._load(body, 1, 300) for scope, body in bodies.items()},
            {scope: self._load(body, 16, 1000) for scope, body in bodies.items()},
            {count: self._load(bodies["hundred"], count, 1000) for count in CALLERS} if size == CALLERS_AT else {},
        )

    def _load(self, body: Path, callers: int, calls: int) -> Load:
        connections = min(4, callers)
        return h2load(
            self._address, "Search", body, calls=calls, connections=connections, streams=callers // connections
        )

    async def recall(
        self, embeddings: NDArray[np.float32], queries: Sequence[Embedding], ef_runtime: int | None = None
    ) -> float:
        """The share of the true nearest among those found, over everyone; by default with the server's effort."""
        right = 0
        for query in queries:
            nearest = {str(number) for number in np.argsort(embeddings @ query)[-K:]}
            where = memory_pb2.MemoryFilter(all_users=True)
            request = pb.SearchRequest(
                index=INDEX, query_embedding=query.tobytes(), filter=where, k=K, ef_runtime=ef_runtime
            )
            right += len(nearest & {str(hit.memory.timestamp.seconds) for hit in await self.found(request)})
        return right / K / len(queries)

    async def found(self, request: pb.SearchRequest) -> list[pb.Hit]:
        """The hits of a search."""
        return [hit async for response in self._memories.Search(request, timeout=60) for hit in response.hits]

    async def _used(self) -> int:
        """Bytes that the engine holds."""
        told = bytes(await self._engine.run(["INFO", "memory"])).decode()
        return int(told.partition("used_memory:")[2].split()[0])


def owner(number: int) -> str:
    """Whose the memory of this number is."""
    if number < 1:
        return "one"
    if number <= 100:
        return "hundred"
    return "many" if 10_000 <= number < 20_000 else f"user{number // 100}"


async def main(url: str, sizes: Sequence[int], kinds: Sequence[Kind], picture: Path) -> None:
    """Measure, print and draw."""
    settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_VALKEY_URL": url, "MEMORY_INDEX": INDEX, "MEMORY_DRAIN": "0"}
    engine = Connections(parse_url(url, connections=16))
    await engine.open()
    found: list[Figures] = []
    with (
        process("-m", "memory_service", "serve", ready="serving", **settings) as service,
        tempfile.TemporaryDirectory() as folder,
    ):
        address = json.loads(service.line)["address"]
        async with connect(address) as memories:
            bench = Bench(engine, memories, address, Path(folder))
            print(f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|")
            for kind in kinds:
                async for one in bench.grow(kind, sizes):
                    found.append(one)
                    print(row(one), flush=True)
        service.check("Search")
    await engine.close()
    print(by_callers(found))
    draw(found, picture)


def row(one: Figures) -> str:
    """A line of the first table."""
    alone = [told(one.alone.get(scope)) for scope in (*USERS, "everyone")]
    together = [f"{one.together[scope].rate:,.0f}" if scope in one.together else "" for scope in (*USERS, "everyone")]
    cells = [str(one.kind), f"{one.size:,}", f"{one.kib:.1f}", f"{one.writes:,.0f}", *alone, *together[1:]]
    return f"| {' | '.join(cells)} | {one.recall:.3f} |"


def told(load: Load | None) -> str:
    """Median and 99th percentile in milliseconds."""
    return "" if load is None else f"{load.median * 1000:.1f} ({load.p99 * 1000:.1f})"


def by_callers(found: Sequence[Figures]) -> str:
    """The second table."""
    lines = [f"| {CALLERS_AT:,} memories | {' | '.join(f'{count} callers' for count in CALLERS)} |"]
    lines += ["| --- " * (len(CALLERS) + 1) + "|"]
    for one in found:
        if one.callers:
            cells = [f"{load.rate:,.0f}/s, {told(load)} ms" for load in one.callers.values()]
            lines.append(f"| {one.kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: Sequence[Figures], picture: Path) -> None:
    """Medians by size, and memory by kind."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    times, bytes_ = figure.subplots(1, 2)
    kinds = list(dict.fromkeys(one.kind for one in found))
    for number, kind in enumerate(kinds):
        mine = [one for one in found if one.kind == kind]
        for scope, style in (("hundred", "-"), ("everyone", "--")):
            medians = [one.alone[scope].median * 1000 for one in mine]
            label = str(kind) if scope == "hundred" else None
            times.plot([one.size for one in mine], medians, style, color=f"C{number}", marker="o", label=label)
    title = "Search, one caller's median: a user of 100 (solid), everyone (dashed)"
    times.set(xscale="log", yscale="log", xlabel="memories", ylabel="ms")
    times.set_title(title, fontsize="medium")
    times.legend(fontsize="x-small", loc="upper left")
    bytes_.barh([str(kind) for kind in kinds], [[one.kib for one in found if one.kind == kind][-1] for kind in kinds])
    bytes_.set(title="the engine's memory for each memory, KiB")
    bytes_.invert_yaxis()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", required=True, help="the engine's URL")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--picture", type=Path, default=Path("bench/scale.png"))
    given = parser.parse_args()
    log_to_stderr(logging.ERROR)
    all_sizes = [int(one) for one in given.sizes.split(",")]
    uvloop.run(main(given.valkey, all_sizes, [Kind.read(one) for one in given.kinds.split(",")], given.picture))
