"""How early do the first hits of a streamed answer arrive, compared with the same answer in one message?

    python -m bench.streaming [--valkey URL] [--rounds 10]

Two servers of the same code on one engine, each in turn within each round: the service, and one that sends each answer
in one message (`--single-message`, for this script's own use). One caller searches for k of twice as many memories of
one user, of 384 dimensions.
"""

import argparse
import contextlib
import logging
import statistics
import sys
import time
from dataclasses import dataclass

import uvloop
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.data import random_embeddings
from bench.harness.engine import embedded_engine
from bench.harness.processes import service_process
from bench.harness.rounds import ratios, spread
from bench.harness.tables import header, row
from bench.overhead.workload import store_request
from memory_service.cli.app import main as command_line
from memory_service.cli.client import Stub, connect
from memory_service.logs import log_to_stderr
from memory_service.rpc import search_stream

DIMENSION, INDEX, USER = 384, "bench_streaming", "user0"
SIZES = (5, 100, 1000)
SEARCHES = 20
COLUMNS = ("k", "first message, ms", "last message, ms", "in one message, ms", "first / one", "last / one")


@dataclass(frozen=True)
class Arrival:
    """Seconds from the call to its first message and to its last."""

    first: float
    last: float


@dataclass(frozen=True)
class Results:
    """The median arrivals of both servers, one a round."""

    streamed: list[Arrival]
    single: list[Arrival]


async def main(url: str, rounds: int) -> None:
    """Measure and print."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded_engine())
        streaming = stack.enter_context(service_process(MEMORY_VALKEY_URL=url))
        single = stack.enter_context(service_process("bench.streaming", "--single-message", MEMORY_VALKEY_URL=url))
        streaming_stub = await stack.enter_async_context(connect(streaming.address))
        single_stub = await stack.enter_async_context(connect(single.address))
        await fill(streaming_stub, 2 * max(SIZES))
        print(header(COLUMNS))
        for k in SIZES:
            results = Results([], [])
            for _ in range(rounds):
                results.streamed.append(await median_arrival(streaming_stub, k))
                results.single.append(await median_arrival(single_stub, k))
            print(result_row(k, results), flush=True)
        await streaming_stub.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=60)


async def median_arrival(stub: Stub, k: int) -> Arrival:
    """Search several times and return the medians."""
    query = random_embeddings(1, DIMENSION, seed=1)[0].tobytes()
    request = pb.SearchRequest(index=INDEX, query_embedding=query, filter=memory_pb2.MemoryFilter(user_id=USER), k=k)
    arrivals = [await search(stub, request) for _ in range(SEARCHES)]
    return Arrival(statistics.median(one.first for one in arrivals), statistics.median(one.last for one in arrivals))


async def search(stub: Stub, request: pb.SearchRequest) -> Arrival:
    """Search once."""
    started = time.perf_counter()
    times, hits = [], 0
    async for response in stub.Search(request, timeout=30):
        times.append(time.perf_counter() - started)
        hits += len(response.hits)
    assert hits == request.k
    return Arrival(times[0], times[-1])


def result_row(k: int, results: Results) -> str:
    """Format a line of the table."""
    first, last = [one.first for one in results.streamed], [one.last for one in results.streamed]
    single = [one.last for one in results.single]
    medians = [f"{statistics.median(times) * 1000:.1f}" for times in (first, last, single)]
    return row([k, *medians, spread(ratios(first, single)), spread(ratios(last, single))])


async def fill(stub: Stub, count: int) -> None:
    """Create the index with this many memories of one user."""
    ensure = pb.EnsureIndexRequest(
        index=INDEX, dimension=DIMENSION, embedding_model="bench", algorithms=[index_pb2.ALGORITHM_FLAT]
    )
    await stub.EnsureIndex(ensure, timeout=60)
    requests = [store_request(USER, embedding) for embedding in random_embeddings(count, DIMENSION)]
    for start in range(0, count, 50):
        await stub.BatchStore(pb.BatchStoreRequest(index=INDEX, memories=requests[start : start + 50]), timeout=60)


def serve_single_messages() -> None:
    """Run the service without chunks."""
    search_stream.CHUNK_HITS = search_stream.CHUNK_BYTES = 2**40
    sys.argv = ["memory-service", "serve"]
    command_line()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valkey", default="", help="the engine's URL (default: a new embedded engine)")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--single-message", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.single_message:
        serve_single_messages()
    else:
        log_to_stderr(logging.ERROR)
        uvloop.run(main(args.valkey, args.rounds))
