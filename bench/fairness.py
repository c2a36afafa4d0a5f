"""What one user's batches cost another user's searches: p99 of a Search beside batches over p99 without.

    python -m bench.fairness [--searches 200] [--batches 50] [--valkey URL]

One user keeps `--batches` BatchStores of 100 long texts in flight, each a new one when it ends; another user searches,
one call after another. The server knows no callers, so that only the user_id tells them apart. A second round sends
embeddings along, so that the batches wait for the engine and not for the model.
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

import grpc
import numpy as np
import uvloop
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import process
from memory_service.cli.client import Stub, connect
from memory_service.logs import log_to_stderr

BATCH, WORDS = 100, "some words of a long message " * 60
DEADLINE = 120.0


async def main(url: str | None, searches: int, batches: int) -> None:
    """Measure and print."""
    settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DRAIN": "0", "MEMORY_GRACE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        settings |= {"MEMORY_VALKEY_URL": url} if url else {"MEMORY_DATA_DIR": folder}
        with process("-m", "memory_service", "serve", ready='"serving"', **settings) as server:
            async with connect(str(json.loads(server.line)["address"])) as memories:
                await memories.EnsureIndex(pb.EnsureIndexRequest(), timeout=DEADLINE)
                await timed(memories, 20)
                print(
                    "| batches of | undisturbed p50, p99 ms | beside them p50, p99 ms | ratio of p99 | refused items |"
                )
                print("| --- | --- | --- | --- | --- |")
                for name, embedded in (("texts", False), ("embeddings", True)):
                    before = await timed(memories, searches)
                    beside, refused = await disturbed(memories, searches, batches, embedded=embedded)
                    print(f"| {name} | {cell(before)} | {cell(beside)} | {p99(beside) / p99(before):.1f} | {refused} |")


async def disturbed(memories: Stub, searches: int, batches: int, *, embedded: bool) -> tuple[list[float], int]:
    """Times of searches while so many batches are in flight, and how many of their items were refused."""
    numbers, refused = itertools.count(), 0

    async def store() -> None:
        nonlocal refused
        while True:
            try:
                answer = await memories.BatchStore(batch(next(numbers), embedded=embedded), timeout=DEADLINE)
                refused += sum(one.HasField("error") for one in answer.results)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                refused += BATCH
                await asyncio.sleep(0.5)

    running = [asyncio.create_task(store()) for _ in range(batches)]
    await asyncio.sleep(3)
    times = await timed(memories, searches)
    for one in running:
        one.cancel()
    await asyncio.wait(running)
    await asyncio.sleep(2)
    return times, refused


async def timed(memories: Stub, count: int) -> list[float]:
    """Seconds of searches by texts that are new each time."""
    times = []
    for _ in range(count):
        request = pb.SearchRequest(
            query_text=f"a question at {time.perf_counter()}", filter=memory_pb2.MemoryFilter(user_id="bob")
        )
        started = time.perf_counter()
        async for _response in memories.Search(request, timeout=DEADLINE):
            pass
        times.append(time.perf_counter() - started)
    return times


def batch(number: int, *, embedded: bool) -> pb.BatchStoreRequest:
    """Another batch of long texts."""
    vector = np.random.default_rng(number).standard_normal(384).astype("<f4").tobytes() if embedded else b""
    return pb.BatchStoreRequest(
        memories=[
            pb.StoreRequest(
                user_id="mallory", role=memory_pb2.ROLE_USER, content=f"{number} {item} {WORDS}", embedding=vector
            )
            for item in range(BATCH)
        ]
    )


def p99(times: list[float]) -> float:
    """The time that one call in a hundred exceeds."""
    return statistics.quantiles(times, n=100)[98]


def cell(times: list[float]) -> str:
    """Median and p99 in milliseconds."""
    return f"{statistics.median(times) * 1000:.0f}, {p99(times) * 1000:.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", help="the engine's URL; an embedded engine when left out")
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--batches", type=int, default=50)
    given = parser.parse_args()
    log_to_stderr(logging.ERROR)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(given.valkey, given.searches, given.batches))
