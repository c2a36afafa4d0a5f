"""How does this service compare with other memory servers and libraries?

    python -m bench.peers [--texts locomo_turns.json] [--memories 2000] [--rounds 5] [--cache DIRECTORY]

Services (a server each, called over a socket) and libraries (in the caller's process) have a table each. Every product
takes its turn in every round, in a different order each time: Search, k = 10, within one of twenty users; then Store of
single memories of other users; each from one caller and from sixteen. Embeddings have 384 dimensions and exist before
the run: the local model's of --texts, or random vectors around centres. A product that accepts no embeddings from its
caller gets them from a local endpoint that looks them up.

The tables have medians of the rounds, ratios within a round with the least and the most, CPU time from the operating
system, recall@10 against brute force, and how many of the stored memories a search by their own embedding does not
find. Peers are installed from PyPI into virtual environments under --cache: see versions.py for versions and patches.
"""

import argparse
import logging
import tempfile
from pathlib import Path

import platformdirs
import uvloop

from bench.peers.compare import DIMENSION, PEER_NAMES, Options, compare_libraries, compare_services, make_workload
from bench.peers.plan import CALLERS, Plan
from bench.peers.report import draw
from memory_service.logs import log_to_stderr


async def main(args: argparse.Namespace) -> None:
    """Measure all products, print the tables and draw them."""
    plan = Plan(args.rounds, args.searches, args.stores, args.alone)
    work = await make_workload(args.texts, args.memories, plan)
    with tempfile.TemporaryDirectory() as name:
        options = Options(plan, work, Path(name), args.cache, args.without, args.valkey, args.appendfsync)
        work.save(options.folder)
        print(
            f"{work.initial:,} memories of {DIMENSION} dimensions, k = 10, {plan.rounds} rounds; in each round "
            f"{plan.searches} searches and {plan.stores} stores of {CALLERS} callers, {plan.alone} of one caller"
        )
        results = {"services": await compare_services(options), "libraries": await compare_libraries(options)}
    draw(results, args.picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, help="locomo_turns.json (default: synthetic texts and embeddings)")
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--searches", type=int, default=1500, help="from sixteen callers, in each round")
    parser.add_argument("--stores", type=int, default=500, help="from sixteen callers, in each round")
    parser.add_argument("--alone", type=int, default=100, help="calls of either method from one caller, in each round")
    parser.add_argument("--valkey", default="", help="our engine's URL (default: a new embedded engine)")
    parser.add_argument(
        "--appendfsync", default="no", help="of our embedded engine; `always` makes it as durable as Chroma"
    )
    parser.add_argument("--without", nargs="*", default=[], choices=PEER_NAMES, help="peers to leave out")
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("semantic_memory")) / "peers")
    parser.add_argument("--picture", type=Path, default=Path("bench/peers/peers.png"))
    log_to_stderr(logging.ERROR)
    uvloop.run(main(parser.parse_args()))
