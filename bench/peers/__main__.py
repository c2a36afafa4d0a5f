"""This service beside its peers: the same texts, vectors, k and filters, in turns within one run.

    python -m bench.peers [--texts locomo_turns.json] [--memories 2000] [--rounds 5] [--cache DIRECTORY]

Services (a server each, spoken to over a socket) and libraries (in a process of their caller) have a table each. In
every round each of them in turn: Search, k = 10, within one of twenty users; Store of single memories of other users;
each with one caller and with sixteen. Embeddings have 384 dimensions and are made beforehand: of --texts by the
project's local model, otherwise random around centres. Who takes no embedding from its caller has a stand-in which
looks them up.

Told are medians over the rounds, ratios of the same round with least and most, CPU time from the operating system,
recall@10 against brute force, and how many of the stored memories a search by their own embedding does not find.
Peers are installed from PyPI into virtual environments under --cache; see environments.py for versions and patches.
"""

import argparse
import contextlib
import logging
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path

import numpy as np
import platformdirs
import uvloop

from bench.harness.processes import h2load
from bench.peers.environments import CHROMA, RAMS, Environment, NotInstalled, Peer, environment
from bench.peers.libraries.process import LIBRARIES, library, our_library
from bench.peers.measure import CALLERS, Figures, Loaded, Measured, Plan
from bench.peers.report import Rounds, draw, spread, table
from bench.peers.services.agent_memory_server import rams
from bench.peers.services.chroma import chroma
from bench.peers.services.semantic_memory_server import Ours, ours
from bench.peers.services.service import Service
from bench.peers.workload import Workload, synthetic
from bench.recall import turns
from memory_service.embedding.local import LocalEmbedder
from memory_service.logs import log_to_stderr

DIMENSION, QUERIES = 384, 400
Opens = Callable[[Workload, Environment, Path], AbstractAsyncContextManager[Service]]
SERVICES: dict[str, tuple[Peer, Opens]] = {"rams": (RAMS, rams), "chroma": (CHROMA, chroma)}


async def main(given: argparse.Namespace) -> None:
    """Measure all of them, and tell."""
    plan = Plan(given.rounds, given.searches, given.stores, given.alone)
    work = await workload(given.texts, given.memories, plan)
    kinds: dict[str, dict[str, Rounds]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work.save(folder)
        print(
            f"{work.filled:,} memories of {DIMENSION} dimensions, k = 10, {plan.rounds} rounds; in each {plan.searches}"
            f" searches and {plan.stores} stores of {CALLERS} callers, {plan.alone} of one caller"
        )
        kinds["services"] = await services(work, plan, given, folder)
        kinds["libraries"] = await libraries(work, plan, given, folder)
    draw(kinds, given.picture)


async def workload(texts: Path | None, memories: int, plan: Plan) -> Workload:
    """Real sentences with embeddings of the local model, or made-up ones."""
    count = memories + plan.stored + QUERIES
    if texts is None:
        said, vectors = synthetic(count, DIMENSION)
    else:
        one_by_one = list(dict.fromkeys(turn.strip() for turn in turns(texts)))  # One peer strips what it is asked.
        # Where turns alone are too few, a turn and its answer are one message too.
        said = [*one_by_one, *(f"{turn} {answer}" for turn, answer in pairwise(one_by_one))][:count]
        assert len(said) == count, f"there are {len(said)} different texts, {count} are needed"
        embedder = LocalEmbedder(threads=2)
        vectors = np.array([(await embedder.embed(one)).embedding for one in said])
        # Neighbours in a conversation are much alike: queries and stored memories shall be of all of them.
        order = np.random.default_rng(7).permutation(count)
        said, vectors = [said[one] for one in order], vectors[order]
    return Workload(said, vectors, memories, plan.stored)


async def services(work: Workload, plan: Plan, given: argparse.Namespace, folder: Path) -> dict[str, Rounds]:
    """The rounds of all services, told and checked."""
    async with contextlib.AsyncExitStack() as stack:
        us = await stack.enter_async_context(ours(work, given.valkey, given.appendfsync))
        measured = [Loaded(us, work, plan)]
        for name, (peer, opens) in SERVICES.items():
            if name not in given.without and (installed := available(peer, given.cache)):
                service = await stack.enter_async_context(opens(work, installed, folder))
                measured.append(Loaded(service, work, plan))
        found = await rounds(measured, plan)
        tell("server", measured, found)
        for one in measured:
            print(
                f"- the load generator itself takes {statistics.median(one.own_cpu) * 1e6:.0f} µs a call: {one.title}"
            )
        await check(us, measured[0], folder)
    return found


async def libraries(work: Workload, plan: Plan, given: argparse.Namespace, folder: Path) -> dict[str, Rounds]:
    """The rounds of all libraries, told."""
    async with contextlib.AsyncExitStack() as stack:
        us = await stack.enter_async_context(ours(work, given.valkey, given.appendfsync))
        measured = [await stack.enter_async_context(our_library(us, work, plan, folder))]
        for name, one in LIBRARIES.items():
            if name not in given.without and (installed := available(one.peer, given.cache)):
                measured.append(await stack.enter_async_context(library(one, installed, work, plan, folder)))
        found = await rounds(measured, plan)
        tell("process", measured, found)
        us.server.check("Search")
        us.server.check("Store")
    return found


def available(peer: Peer, cache: Path) -> Environment | None:
    """Its environment, or None and a word about why not."""
    try:
        return environment(peer, cache)
    except NotInstalled as error:
        print(f"{peer.package} {peer.version} is not measured: {error}")
        return None


async def rounds(measured: Sequence[Measured], plan: Plan) -> dict[str, Rounds]:
    """The figures of each round, in turns of another order each time."""
    found: dict[str, dict[str, list[Figures]]] = {
        method: {one.title: [] for one in measured} for method in ("Search", "Store")
    }
    for one in measured:
        await one.fill()
        await one.search()  # What a first call loads is nobody's speed.
    for number in range(plan.rounds):
        for one in random.Random(number).sample(measured, len(measured)):
            found["Search"][one.title].append(await one.search())
            found["Store"][one.title].append(await one.store(number))
    return {method: dict(rows) for method, rows in found.items()}


def tell(whose: str, measured: Sequence[Measured], found: dict[str, Rounds]) -> None:
    """Print the tables, and what they are of."""
    for method, rows in found.items():
        print(f"\n{table(method, rows, whose)}")
    print()
    for one in measured:
        print(f"- {one.title}: {one.about}")


async def check(us: Ours, loaded: Loaded, folder: Path) -> None:
    """Did every call succeed, and what does our load generator cost beside h2load, which sends one query only?"""
    us.server.check("Search")
    us.server.check("Store")
    body = folder / "search"
    body.write_bytes(us.search(loaded.work.queries[0]).body)
    ratios = []
    for _ in range(loaded.plan.rounds):
        by_ours = (await loaded.search()).rate
        calls = loaded.plan.searches
        ratios.append(h2load(us.address, "Search", body, calls=calls, connections=CALLERS, streams=1).rate / by_ours)
    print(f"- h2load gets {spread(ratios)} times the searches a second out of {us.title}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, help="LoCoMo's turns; made-up texts and embeddings when left out")
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--searches", type=int, default=1500)
    parser.add_argument("--stores", type=int, default=500)
    parser.add_argument("--alone", type=int, default=100)
    parser.add_argument("--valkey", default="", help="our engine's URL; a new embedded one when left out")
    parser.add_argument(
        "--appendfsync", default="no", help="of our embedded engine: `always` makes it as durable as Chroma"
    )
    parser.add_argument("--without", nargs="*", default=[], choices=[*SERVICES, *LIBRARIES], help="peers to leave out")
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("semantic_memory")) / "peers")
    parser.add_argument("--picture", type=Path, default=Path("bench/peers/peers.png"))
    log_to_stderr(logging.ERROR)
    uvloop.run(main(parser.parse_args()))
