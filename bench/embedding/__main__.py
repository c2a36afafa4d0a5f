"""What do embeddings cost, by embedder and by what the service's cache has?

    python -m bench.embedding [--seconds 15] [--latency 30] [--valkey URL] [--picture bench/embedding.png]

64 callers search by text over gRPC, k = 5, among a thousand memories of one user. The embedders are the local model,
and Bedrock through boto3: here a process that speaks its wire format and responds after `--latency` milliseconds
(bedrock_endpoint.py). The loads, each in turn on the same servers:

- fresh: each call has a new text
- mixed: four of five calls have a text that the cache has
- repeated: all calls have texts that the cache has
- same: all 64 callers search for one new text at once, then for the next one

The table has texts a second, the caller's times, the number of model calls, the server's CPU time for each text, and
the event loop's lag (p99 from the service's metrics, interpolated between the bounds of their histogram). The script
fails unless the service calls the model exactly once for each new text, and never for a known one. The callers are one
Python process on the same machine and use about as much CPU time as the service.
"""

import argparse
import logging
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from bench.embedding.report import COLUMNS, draw, measurement_row
from bench.embedding.service import MEMORIES, K, Measurement, Service
from bench.embedding.texts import CALLERS, LOADS
from bench.harness.engine import embedded_engine
from bench.harness.processes import python_process, service_process
from bench.harness.tables import header
from memory_service.cli.client import connect
from memory_service.embedded.process import free_port
from memory_service.logs import log_to_stderr


async def main(seconds: float, latency: float, url: str, picture: Path | None) -> None:
    """Measure each embedder under each load, and print the table."""
    async with AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded_engine())
        endpoint = stack.enter_context(
            python_process("-m", "bench.embedding.bedrock_endpoint", str(latency / 1000), ready="serving")
        )
        bedrock = {
            "MEMORY_EMBEDDER": "bedrock",
            "MEMORY_BEDROCK_REGION": "us-east-1",
            "MEMORY_BEDROCK_ENDPOINT_URL": endpoint.ready_line.split()[1],
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        services = [
            await start(stack, "local", url, 384, {}),
            await start(stack, "bedrock", url, 1536, bedrock),
        ]
        print(
            f"{CALLERS} callers, {seconds:.0f} s each, {MEMORIES} memories, k = {K}; Bedrock takes {latency:.0f} ms\n"
        )
        print(header(COLUMNS))
        measurements: list[Measurement] = []
        for name, load in LOADS.items():
            for service in services:
                measurements.append(await service.measure(name, load, seconds))
                print(measurement_row(measurements[-1]), flush=True)
        if picture is not None:
            draw(measurements, picture)


async def start(stack: AsyncExitStack, name: str, url: str, dimension: int, embedder: dict[str, str]) -> Service:
    """Start a service with this embedder and store its memories."""
    index, metrics = f"bench_embedding_{name}", f"127.0.0.1:{free_port()}"
    settings = {"MEMORY_VALKEY_URL": url, "MEMORY_INDEX": index, "MEMORY_METRICS_LISTEN": metrics, **embedder}
    process = stack.enter_context(service_process(**settings))
    stub = await stack.enter_async_context(connect(process.address))
    service = Service(name, process, stub, f"http://{metrics}/metrics")
    stack.push_async_callback(service.drop, index)
    await service.fill(dimension)
    return service


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.embedding", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=15, help="for each row of the table")
    parser.add_argument("--latency", type=float, default=30, help="Bedrock's time for a text, in milliseconds")
    parser.add_argument("--valkey", default="", help="the engine's URL (default: a new embedded engine)")
    parser.add_argument("--picture", type=Path, help="where to write the picture of the table (PNG)")
    args = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(args.seconds, args.latency, args.valkey, args.picture))
