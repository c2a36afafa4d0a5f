"""How much do one user's batches slow another user's searches?

    python -m bench.fairness [--searches 200] [--batches 50] [--valkey URL]

One user keeps `--batches` BatchStores of 100 long texts in flight and sends a new one when one ends. Another user
searches, one call after another. The server has no API keys, so that only the user_id tells the two users apart. In a
second part the batches carry embeddings, so that they wait for the engine and not for the model. The result is the
searches' p99 beside the batches, as a ratio to p99 without them.
"""

import argparse
import asyncio
import contextlib
import itertools
import logging
import statistics
import tempfile
import time

import grpc
import numpy as np
import uvloop
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import service_process
from bench.harness.tables import header, row
from memory_service.cli.client import Stub, connect
from memory_service.logs import log_to_stderr

BATCH, WORDS = 100, "some words of a long message " * 60
TIMEOUT = 120.0
WARM_UP_SEARCHES = 20
COLUMNS = ("batches of", "undisturbed p50, p99 ms", "beside them p50, p99 ms", "ratio of p99", "refused items")


async def main(url: str | None, searches: int, batches: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        engine = {"MEMORY_VALKEY_URL": url} if url else {"MEMORY_DATA_DIR": folder}
        with service_process(MEMORY_GRACE="1", **engine) as server:
            async with connect(server.address) as stub:
                await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
                await search_times(stub, WARM_UP_SEARCHES)
                print(header(COLUMNS))
                for name, with_embeddings in (("texts", False), ("embeddings", True)):
                    undisturbed = await search_times(stub, searches)
                    beside, refused = await times_beside_batches(stub, searches, batches, embed=with_embeddings)
                    ratio = f"{p99(beside) / p99(undisturbed):.1f}"
                    print(row([name, _times(undisturbed), _times(beside), ratio, refused]), flush=True)


async def times_beside_batches(stub: Stub, searches: int, batches: int, *, embed: bool) -> tuple[list[float], int]:
    """Return the seconds of searches beside this many batches in flight, and how many of their items were refused."""
    numbers, refused = itertools.count(), 0

    async def keep_storing() -> None:
        nonlocal refused
        while True:
            try:
                response = await stub.BatchStore(batch_request(next(numbers), embed=embed), timeout=TIMEOUT)
                refused += sum(result.HasField("error") for result in response.results)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                refused += BATCH
                await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(keep_storing()) for _ in range(batches)]
    await asyncio.sleep(3)
    times = await search_times(stub, searches)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(2)
    return times, refused


async def search_times(stub: Stub, count: int) -> list[float]:
    """Search by a new text each time. Return the seconds of each search."""
    times = []
    for _ in range(count):
        text = f"a question at {time.perf_counter()}"
        request = pb.SearchRequest(query_text=text, filter=memory_pb2.MemoryFilter(user_id="bob"))
        started = time.perf_counter()
        async for _response in stub.Search(request, timeout=TIMEOUT):
            pass
        times.append(time.perf_counter() - started)
    return times


def batch_request(number: int, *, embed: bool) -> pb.BatchStoreRequest:
    """Return a batch of long texts, different for each number."""
    embedding = np.random.default_rng(number).standard_normal(384).astype("<f4").tobytes() if embed else b""
    return pb.BatchStoreRequest(
        memories=[
            pb.StoreRequest(
                user_id="mallory", role=memory_pb2.ROLE_USER, content=f"{number} {item} {WORDS}", embedding=embedding
            )
            for item in range(BATCH)
        ]
    )


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(times, n=100)[98]


def _times(times: list[float]) -> str:
    """Format median and 99th percentile in milliseconds."""
    return f"{statistics.median(times) * 1000:.0f}, {p99(times) * 1000:.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", help="the engine's URL (default: the service's embedded engine)")
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--batches", type=int, default=50)
    args = parser.parse_args()
    log_to_stderr(logging.ERROR)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(args.valkey, args.searches, args.batches))
