"""What streaming brings: when the first hits of a long answer are there, beside the same answer in one message.

    python -m bench.streaming [--valkey URL] [--rounds 10]

Two servers of the same code on one engine, in turns: the service, and one that does not cut its answers (`--whole`, for
this script's own use). One caller searches for k of twice as many memories of one user, of 384 dimensions.
"""

import argparse
import contextlib
import json
import logging
import statistics
import sys
import time

import uvloop
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import process, random_embeddings
from bench.locomo.__main__ import embedded
from bench.overhead.__main__ import store_request
from memory_service.cli.app import main as command_line
from memory_service.cli.client import Stub, connect
from memory_service.logs import log_to_stderr
from memory_service.rpc import convert

DIMENSION, INDEX, USER = 384, "bench_streaming", "user0"
SIZES = (5, 100, 1000)
SEARCHES = 20
Times = tuple[float, float]
"""From the call to its first message and to its last, in seconds."""


async def main(url: str, rounds: int) -> None:
    """Measure and print."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded())
        settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_VALKEY_URL": url, "MEMORY_DRAIN": "0"}
        ways: dict[str, Stub] = {}
        for name, arguments in {"chunks": ("memory_service", "serve"), "whole": ("bench.streaming", "--whole")}.items():
            server = stack.enter_context(process("-m", *arguments, ready='"serving"', **settings))
            ways[name] = await stack.enter_async_context(connect(json.loads(server.line)["address"]))
        await fill(ways["chunks"], 2 * max(SIZES))
        print("| k | first message, ms | last message, ms | in one message, ms | first / one | last / one |")
        print("| --- | --- | --- | --- | --- | --- |")
        for k in SIZES:
            print(row(k, await measured(ways, k, rounds)))
        await ways["chunks"].DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=60)


async def measured(ways: dict[str, Stub], k: int, rounds: int) -> dict[str, list[Times]]:
    """The medians of each way in each round."""
    found: dict[str, list[Times]] = {name: [] for name in ways}
    query = random_embeddings(1, DIMENSION, seed=1)[0].tobytes()
    request = pb.SearchRequest(index=INDEX, query_embedding=query, filter=memory_pb2.MemoryFilter(user_id=USER), k=k)
    for _ in range(rounds):
        for name, memories in ways.items():
            times = [await search(memories, request) for _ in range(SEARCHES)]
            first, last = (statistics.median(column) for column in zip(*times, strict=True))
            found[name].append((first, last))
    return found


async def search(memories: Stub, request: pb.SearchRequest) -> Times:
    """Search once."""
    started = time.perf_counter()
    arrived, hits = [], 0
    async for response in memories.Search(request, timeout=30):
        arrived.append(time.perf_counter() - started)
        hits += len(response.hits)
    assert hits == request.k
    return arrived[0], arrived[-1]


def row(k: int, found: dict[str, list[Times]]) -> str:
    """A line of the table."""
    whole = [last for _, last in found["whole"]]
    firsts, lasts = zip(*found["chunks"], strict=True)
    medians = " | ".join(f"{statistics.median(one) * 1000:.1f}" for one in (firsts, lasts, whole))
    ratios = []
    for one in (firsts, lasts):
        of_whole = sorted(chunked / other for chunked, other in zip(one, whole, strict=True))
        ratios.append(f"{statistics.median(of_whole):.2f} ({of_whole[0]:.2f} to {of_whole[-1]:.2f})")
    return f"| {k} | {medians} | {' | '.join(ratios)} |"


async def fill(memories: Stub, count: int) -> None:
    """So many memories of one user in an index made anew."""
    ensure = pb.EnsureIndexRequest(
        index=INDEX, dimension=DIMENSION, embedding_model="bench", algorithms=[index_pb2.ALGORITHM_FLAT]
    )
    await memories.EnsureIndex(ensure, timeout=60)
    items = [store_request(USER, one) for one in random_embeddings(count, DIMENSION)]
    for start in range(0, count, 50):
        await memories.BatchStore(pb.BatchStoreRequest(index=INDEX, memories=items[start : start + 50]), timeout=60)


def serve_whole() -> None:
    """The service, but for its chunks."""
    convert.CHUNK = convert.CHUNK_BYTES = 2**40
    sys.argv = ["memory-service", "serve"]
    command_line()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", default="", help="an engine's URL; a new embedded one when left out")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.whole:
        serve_whole()
    else:
        log_to_stderr(logging.ERROR)
        uvloop.run(main(given.valkey, given.rounds))
