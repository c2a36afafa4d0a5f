"""All products in turn: the workload, the rounds, and what they print."""

import contextlib
import random
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.harness.data import locomo_texts
from bench.harness.h2load import run_h2load
from bench.harness.rounds import spread
from bench.peers.environments import Environment, NotInstalled, environment
from bench.peers.library_benchmark import LIBRARIES, client_benchmark, library_benchmark
from bench.peers.plan import CALLERS, Measurement, Plan, Product
from bench.peers.report import Results, table
from bench.peers.service_benchmark import ServiceBenchmark
from bench.peers.services.agent_memory_server import agent_memory_server
from bench.peers.services.chroma import chroma
from bench.peers.services.protocol import Service
from bench.peers.services.semantic_memory_server import SemanticMemoryServer, semantic_memory_server
from bench.peers.versions import AGENT_MEMORY_SERVER, CHROMA, Peer
from bench.peers.workload import Workload, synthetic
from memory_service.embedding.local import LocalEmbedder

DIMENSION, QUERIES = 384, 400
OpenService = Callable[[Workload, Environment, Path], AbstractAsyncContextManager[Service]]
SERVICES: dict[str, tuple[Peer, OpenService]] = {
    "agent-memory-server": (AGENT_MEMORY_SERVER, agent_memory_server),
    "chroma": (CHROMA, chroma),
}
PEER_NAMES = (*SERVICES, *LIBRARIES)


@dataclass(frozen=True)
class Options:
    """The run: what to measure, where, and which peers to leave out."""

    plan: Plan
    work: Workload
    folder: Path
    """For the workload, logs and request bodies."""
    cache: Path
    """For the peers' environments."""
    without: Sequence[str]
    valkey: str
    appendfsync: str

    def our_server(self) -> AbstractAsyncContextManager[SemanticMemoryServer]:
        """Run our server."""
        return semantic_memory_server(self.work, self.valkey, self.appendfsync)

    def installed(self, name: str, peer: Peer) -> Environment | None:
        """Return the peer's environment, or None if it is left out or cannot be installed."""
        if name in self.without:
            return None
        try:
            return environment(peer, self.cache)
        except NotInstalled as error:
            print(f"{peer.package} {peer.version} is not measured: {error}")
            return None


async def make_workload(texts: Path | None, memories: int, plan: Plan) -> Workload:
    """Return LoCoMo's texts with embeddings of the local model, or synthetic ones."""
    count = memories + plan.stored + QUERIES
    if texts is None:
        return Workload(*synthetic(count, DIMENSION), memories, plan.stored)
    # One peer strips the texts that it searches for.
    turns = list(dict.fromkeys(text.strip() for text in locomo_texts(texts)))
    # If there are too few turns, a turn and the next one together are another message.
    contents = [*turns, *(f"{turn} {following}" for turn, following in pairwise(turns))][:count]
    assert len(contents) == count, f"there are {len(contents)} different texts, {count} are needed"
    embedder = LocalEmbedder(threads=2)
    vectors = np.array([(await embedder.embed(content)).embedding for content in contents])
    # Neighboring turns are similar: shuffle, so that queries and stored memories come from all conversations.
    order = np.random.default_rng(7).permutation(count)
    return Workload([contents[number] for number in order], vectors[order], memories, plan.stored)


async def compare_services(options: Options) -> dict[str, Results]:
    """Measure all services, print the tables and check the load generator."""
    work, plan = options.work, options.plan
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(options.our_server())
        ours = ServiceBenchmark(server, work, plan)
        products = [ours]
        for name, (peer, open_service) in SERVICES.items():
            if installed := options.installed(name, peer):
                service = await stack.enter_async_context(open_service(work, installed, options.folder))
                products.append(ServiceBenchmark(service, work, plan))
        results = await run_rounds(products, plan)
        print_tables("server", products, results)
        for product in products:
            own_cpu = statistics.median(product.own_cpu) * 1e6
            print(f"- the load generator itself takes {own_cpu:.0f} µs a call: {product.title}")
        server.process.require_all_ok("Search")
        server.process.require_all_ok("Store")
        await compare_with_h2load(server, ours, options)
    return results


async def compare_libraries(options: Options) -> dict[str, Results]:
    """Measure all libraries and print the tables."""
    work, plan, folder = options.work, options.plan, options.folder
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(options.our_server())
        products = [await stack.enter_async_context(client_benchmark(server, work, plan, folder))]
        for name, library in LIBRARIES.items():
            if installed := options.installed(name, library.peer):
                benchmark = library_benchmark(library, installed, work, plan, folder)
                products.append(await stack.enter_async_context(benchmark))
        results = await run_rounds(products, plan)
        print_tables("process", products, results)
        server.process.require_all_ok("Search")
        server.process.require_all_ok("Store")
    return results


async def run_rounds(products: Sequence[Product], plan: Plan) -> dict[str, Results]:
    """Measure each product in each round, in a different order each time."""
    searches: dict[str, list[Measurement]] = {product.title: [] for product in products}
    stores: dict[str, list[Measurement]] = {product.title: [] for product in products}
    for product in products:
        await product.fill()
        await product.search_round()  # A warm-up: first calls load modules and open connections.
    for number in range(plan.rounds):
        for product in random.Random(number).sample(products, len(products)):
            searches[product.title].append(await product.search_round())
            stores[product.title].append(await product.store_round(number))
    return {"Search": searches, "Store": stores}


def print_tables(cpu_of: str, products: Sequence[Product], results: dict[str, Results]) -> None:
    """Print a table for each method, and the products' versions and settings."""
    for method, by_title in results.items():
        print(f"\n{table(method, by_title, cpu_of)}")
    print()
    for product in products:
        print(f"- {product.title}: {product.about}")


async def compare_with_h2load(server: SemanticMemoryServer, ours: ServiceBenchmark, options: Options) -> None:
    """Print how many more searches a second h2load gets, which sends one query only."""
    body = options.folder / "search"
    body.write_bytes(server.search_request(options.work.queries[0]).body)
    values = []
    for _ in range(options.plan.rounds):
        rate = (await ours.search_round()).rate
        calls = options.plan.searches
        result = run_h2load(server.address, "Search", body, calls=calls, connections=CALLERS, streams=1)
        values.append(result.rate / rate)
    print(f"- h2load gets {spread(values)} times the searches a second from {server.title}")
