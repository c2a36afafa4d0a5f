"""What the effort of an HNSW search (ef_runtime) buys: recall@10 against brute force, and what it costs.

    python -m bench.recall --valkey URL [--memories 10000] [--texts locomo_turns.json]

Over two sets of embeddings: random unit vectors of 1536 dimensions, the hardest that there are, since none is near; and
with --texts real sentences, LoCoMo's turns by the local model (384). For each effort, in turns: recall@10 over everyone
of fifty queries (of texts: every hundredth is a query, and not stored), and the median of one caller's searches over
three rounds. A table, and a picture to --picture.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import orjson
import uvloop
from matplotlib.figure import Figure
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import random_embeddings
from bench.scale.__main__ import INDEX, QUERIES, Bench, K
from memory_service.cli.client import connect
from memory_service.domain.types import Embedding
from memory_service.embedding.local import LocalEmbedder
from memory_service.logs import log_to_stderr
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

EFFORTS = (10, 50, 100, 200, 400, 800, 1000, 1600)
Curve = list[tuple[int, float, float]]
"""Efforts, recall, median in milliseconds."""


async def main(url: str, count: int, texts: Sequence[str], picture: Path) -> None:
    """Measure, print and draw."""
    made = random_embeddings(count, 1536)
    sets: dict[str, tuple[list[Embedding], list[Embedding]]] = {
        f"{count:,} random, 1536 dimensions": (made, random_embeddings(QUERIES, 1536, seed=8))
    }
    if texts:
        embedder = LocalEmbedder(threads=1)
        sentences = [(await embedder.embed(one)).embedding for one in texts]
        asked = sentences[::100][:QUERIES]
        kept = [one for number, one in enumerate(sentences) if number % 100]
        sets[f"{len(kept):,} sentences, 384 dimensions"] = (kept, asked)
    curves = {}
    async with AsyncExitStack() as stack:
        engine = Connections(parse_url(url, connections=16))
        await engine.open()
        stack.push_async_callback(engine.close)
        settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(url), index=INDEX, drain=0)
        server = await stack.enter_async_context(run_server(settings))
        memories = await stack.enter_async_context(connect(server.address))
        for name, (embeddings, queries) in sets.items():
            ensure = pb.EnsureIndexRequest(
                dimension=len(queries[0]), embedding_model="bench", algorithms=["ALGORITHM_HNSW"], layout="LAYOUT_HASH"
            )
            await memories.EnsureIndex(ensure, timeout=60)
            bench = Bench(engine, memories, server.address, Path())
            await bench.fill(range(len(embeddings)), embeddings)
            curves[name] = await curve(bench, embeddings, queries)
            await memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=900)
    for name, one in curves.items():
        print(f"\n| {name} | {' | '.join(str(effort) for effort, _, _ in one)} |\n{'| --- ' * (len(one) + 1)}|")
        print(f"| recall@{K} | {' | '.join(f'{recall:.3f}' for _, recall, _ in one)} |")
        base = next(median for effort, _, median in one if effort == Settings().ef_runtime)
        print(f"| time over the default's | {' | '.join(f'{median / base:.2f}' for _, _, median in one)} |")
    draw(curves, picture)


def turns(path: Path) -> list[str]:
    """What was said in LoCoMo's conversations."""
    said = [turn["text"] for conversation in orjson.loads(path.read_bytes()) for turn in conversation["turns"]]
    return list(dict.fromkeys(said))


async def curve(bench: Bench, embeddings: Sequence[Embedding], queries: Sequence[Embedding]) -> Curve:
    """Recall and time of each effort."""
    recalls = {effort: await bench.recall(np.array(embeddings), queries, effort) for effort in EFFORTS}
    times: dict[int, list[float]] = {effort: [] for effort in EFFORTS}
    for _ in range(3):
        for effort, taken in times.items():
            for query in queries:
                request = pb.SearchRequest(
                    query_embedding=query.tobytes(),
                    filter=memory_pb2.MemoryFilter(all_users=True),
                    k=K,
                    ef_runtime=effort,
                )
                started = time.perf_counter()
                await bench.found(request)
                taken.append(time.perf_counter() - started)
    return [(effort, recalls[effort], statistics.median(times[effort]) * 1000) for effort in EFFORTS]


def draw(curves: dict[str, Curve], picture: Path) -> None:
    """Recall by time, each point an effort."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, one in curves.items():
        axes.plot([median for _, _, median in one], [recall for _, recall, _ in one], marker="o", label=name)
        for effort, recall, median in one:
            axes.annotate(str(effort), (median, recall), textcoords="offset points", xytext=(4, -10), fontsize=8)
    axes.set(xlabel="one caller's median, ms", ylabel=f"recall@{K}", title="HNSW: recall by effort (ef_runtime)")
    axes.legend()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", required=True, help="the engine's URL")
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--picture", type=Path, default=Path("bench/recall.png"))
    given = parser.parse_args()
    log_to_stderr(logging.ERROR)
    said = turns(given.texts) if given.texts else []
    uvloop.run(main(given.valkey, given.memories, said, given.picture))
