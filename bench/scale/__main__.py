"""How do latency, throughput, memory and recall change as memories, callers and users grow?

    python -m bench.scale --valkey URL [--sizes 1000,10000,100000] [--kinds 384-JSON-both,1536-HASH-FLAT,...]

For each kind of index (dimension, layout, algorithms) memories are added up to each size in turn. One user has one
memory, one has a hundred, one has ten thousand if the size allows, and the others have a hundred each. Texts have 30
words; embeddings are random unit vectors. At each size the script measures:

- the engine's memory for each memory, documents and indexes together
- writes a second, 16 at a time, straight to the engine
- Search, k = 10, through the API, within each of these users and over everyone: one caller's median and 99th
  percentile, and calls a second of 16 callers
- recall@10 of searches over everyone, against brute force over all embeddings

At 10,000 memories it also measures 1, 4, 16 and 64 callers within the user of a hundred. It prints the tables and
writes a picture to --picture. The engine must hold nothing else; the script deletes what it stores.
"""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.harness.processes import service_process
from bench.harness.tables import header
from bench.scale.measure import IndexKind, Measurement, Target, measure_sizes
from bench.scale.memories import INDEX
from bench.scale.report import COLUMNS, callers_table, draw, size_row
from memory_service.cli.client import connect
from memory_service.logs import log_to_stderr
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

KINDS = "384-JSON-both,384-HASH-both,384-HASH-FLAT,384-HASH-HNSW,1536-JSON-both,1536-HASH-both"


async def main(url: str, sizes: Sequence[int], kinds: Sequence[IndexKind], picture: Path) -> None:
    """Measure, print and draw."""
    engine = Connections(parse_url(url, connections=16))
    await engine.open()
    measurements: list[Measurement] = []
    with (
        service_process(MEMORY_VALKEY_URL=url, MEMORY_INDEX=INDEX) as service,
        tempfile.TemporaryDirectory() as folder,
    ):
        async with connect(service.address) as stub:
            target = Target(engine, stub, service.address, Path(folder))
            print(header(COLUMNS))
            for kind in kinds:
                async for measurement in measure_sizes(target, kind, sizes):
                    measurements.append(measurement)
                    print(size_row(measurement), flush=True)
        service.require_all_ok("Search")
    await engine.close()
    print(f"\n{callers_table(measurements)}")
    draw(measurements, picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--valkey", required=True, help="the engine's URL")
    parser.add_argument("--sizes", default="1000,10000,100000", help="numbers of memories, ascending")
    parser.add_argument("--kinds", default=KINDS, help="DIMENSION-LAYOUT-ALGORITHMS: JSON or HASH; FLAT, HNSW or both")
    parser.add_argument("--picture", type=Path, default=Path("bench/scale.png"))
    args = parser.parse_args()
    log_to_stderr(logging.ERROR)
    all_sizes = [int(size) for size in args.sizes.split(",")]
    uvloop.run(main(args.valkey, all_sizes, [IndexKind.parse(kind) for kind in args.kinds.split(",")], args.picture))
