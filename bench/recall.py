"""What recall does an HNSW search reach with each ef_runtime, and how long does it take?

    python -m bench.recall --valkey URL [--memories 10000] [--texts locomo_turns.json]

Two sets of embeddings: random unit vectors of 1536 dimensions, the hardest case, since no vector is near another; and
with --texts the texts of LoCoMo's turns, embedded by the local model (384 dimensions). For each ef_runtime, in turn:
recall@10 of fifty queries over everyone, and the median of one caller's searches over three rounds. Of the texts, every
hundredth is a query and is not stored. The script prints a table for each set and writes a picture to --picture.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop
from matplotlib.figure import Figure
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.data import locomo_texts, random_embeddings
from bench.harness.tables import header, row
from bench.scale.measure import QUERIES
from bench.scale.memories import INDEX, K, drop, fill, recall, search
from memory_service.cli.client import Stub, connect
from memory_service.domain.types import Embedding
from memory_service.embedding.local import LocalEmbedder
from memory_service.logs import log_to_stderr
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

EFFORTS = (10, 50, 100, 200, 400, 800, 1000, 1600)
"""Values of ef_runtime."""
ROUNDS = 3


@dataclass(frozen=True)
class Point:
    """Recall and median time in milliseconds at one ef_runtime."""

    effort: int
    recall: float
    median: float


async def main(url: str, count: int, texts: Sequence[str], picture: Path) -> None:
    """Measure, print and draw."""
    curves = {}
    async with AsyncExitStack() as stack:
        engine = Connections(parse_url(url, connections=16))
        await engine.open()
        stack.push_async_callback(engine.close)
        settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(url), index=INDEX, drain=0)
        server = await stack.enter_async_context(run_server(settings))
        stub = await stack.enter_async_context(connect(server.address))
        for name, (embeddings, queries) in (await data_sets(count, texts)).items():
            ensure = pb.EnsureIndexRequest(
                dimension=len(queries[0]), embedding_model="bench", algorithms=["ALGORITHM_HNSW"], layout="LAYOUT_HASH"
            )
            await stub.EnsureIndex(ensure, timeout=60)
            await fill(engine, range(len(embeddings)), embeddings)
            curves[name] = await measure(stub, embeddings, queries)
            await drop(stub)
    for name, curve in curves.items():
        print(f"\n{table(name, curve)}")
    draw(curves, picture)


async def data_sets(count: int, texts: Sequence[str]) -> dict[str, tuple[list[Embedding], list[Embedding]]]:
    """Return the embeddings to store and the queries of each set."""
    sets = {
        f"{count:,} random, 1536 dimensions": (
            random_embeddings(count, 1536),
            random_embeddings(QUERIES, 1536, seed=8),
        )
    }
    if texts:
        embedder = LocalEmbedder(threads=1)
        embeddings = [(await embedder.embed(text)).embedding for text in texts]
        stored = [embedding for number, embedding in enumerate(embeddings) if number % 100]
        sets[f"{len(stored):,} sentences, 384 dimensions"] = (stored, embeddings[::100][:QUERIES])
    return sets


async def measure(stub: Stub, embeddings: Sequence[Embedding], queries: Sequence[Embedding]) -> list[Point]:
    """Measure recall and time at each ef_runtime."""
    recalls = {effort: await recall(stub, np.array(embeddings), queries, effort) for effort in EFFORTS}
    times: dict[int, list[float]] = {effort: [] for effort in EFFORTS}
    everyone = memory_pb2.MemoryFilter(all_users=True)
    for _ in range(ROUNDS):
        for effort, of_effort in times.items():
            for query in queries:
                embedding = query.tobytes()
                request = pb.SearchRequest(query_embedding=embedding, filter=everyone, k=K, ef_runtime=effort)
                started = time.perf_counter()
                await search(stub, request)
                of_effort.append(time.perf_counter() - started)
    return [Point(effort, recalls[effort], statistics.median(times[effort]) * 1000) for effort in EFFORTS]


def table(name: str, curve: Sequence[Point]) -> str:
    """Format recall, and time as a ratio to that of the default ef_runtime."""
    default = next(point.median for point in curve if point.effort == Settings().ef_runtime)
    lines = [
        header([name, *(str(point.effort) for point in curve)]),
        row([f"recall@{K}", *(f"{point.recall:.3f}" for point in curve)]),
        row(["time, ratio to the default's", *(f"{point.median / default:.2f}" for point in curve)]),
    ]
    return "\n".join(lines)


def draw(curves: dict[str, list[Point]], picture: Path) -> None:
    """Draw recall by time, a point for each ef_runtime."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot([point.median for point in curve], [point.recall for point in curve], marker="o", label=name)
        for point in curve:
            at = (point.median, point.recall)
            axes.annotate(str(point.effort), at, textcoords="offset points", xytext=(4, -10), fontsize=8)
    axes.set(xlabel="one caller's median, ms", ylabel=f"recall@{K}", title="HNSW: recall by effort (ef_runtime)")
    axes.legend()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.recall", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--valkey", required=True, help="the engine's URL")
    parser.add_argument("--memories", type=int, default=10_000, help="random embeddings to store")
    parser.add_argument("--texts", type=Path, help="locomo_turns.json (default: random embeddings only)")
    parser.add_argument("--picture", type=Path, default=Path("bench/recall.png"))
    args = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(args.valkey, args.memories, locomo_texts(args.texts) if args.texts else [], args.picture))
