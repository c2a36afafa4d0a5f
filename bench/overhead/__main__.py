"""How much of a call's time is the service's?

    python -m bench.overhead [--memories 10000] [--valkey URL] [--rounds 3] [--picture bench/overhead.png] [--native]
                             [--beside CHECKOUT]

Store and Search on one engine, with the caller's embeddings of 1536 dimensions, k = 10, within one of a hundred users.
Each variant in turn within each round:

- service: `memory-service serve`, a process of its own, over gRPC on loopback
- bare gRPC: a grpc.aio server that returns the same bytes and does nothing else (bare_grpc_server.py)
- gRPC, GLIDE: the same server, which runs each call's command through GLIDE: the lower bound of a service in Python
- bare pygrpc-native: with --native, the bare server by pygrpc-native, which must be installed
- checkout: with --beside, the service of another checkout, to see what a change costs
- GLIDE: the same commands through the service's connection pool, in the caller's process
- cookbook: the Valkey cookbook's code: json.dumps of Python floats, complete documents returned, one connection

h2load (Debian's nghttp2-client) loads the servers and is not the bottleneck. A gRPC client verifies the responses
first. The tables have calls a second with 16 callers, one caller's median, the server's CPU time for each call (from
the operating system), and the service's ratio to each variant. All are medians of the rounds: absolute figures depend
on the machine.
"""

import argparse
import contextlib
import logging
import tempfile
from pathlib import Path

import uvloop

from bench.harness.data import random_embeddings
from bench.harness.engine import embedded_engine
from bench.harness.h2load import grpc_frame
from bench.harness.processes import ServerProcess, loopback_process, service_process
from bench.harness.rounds import rotate
from bench.overhead.in_process import cookbook_calls, cookbook_client, glide_calls
from bench.overhead.measure import CALLERS, Measure, Measurement, in_process_measure, server_measure
from bench.overhead.report import Results, draw, table
from bench.overhead.workload import DIMENSION, INDEX, USERS, K, drop, fill, verified_exchanges
from memory_service.cli.client import connect
from memory_service.logs import log_to_stderr
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url


async def main(count: int, url: str, rounds: int, picture: Path | None, *, native: bool, beside: Path | None) -> None:
    """Run all rounds, print the tables and draw them."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded_engine())
        embeddings = random_embeddings(count, DIMENSION)
        settings = {"MEMORY_VALKEY_URL": url, "MEMORY_INDEX": INDEX}
        service = stack.enter_context(service_process(**settings))
        stub = await stack.enter_async_context(connect(service.address))
        await fill(stub, embeddings)
        exchanges = await verified_exchanges(stub, embeddings[0])
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for method, exchange in exchanges.items():
            (folder / f"{method}.body").write_bytes(grpc_frame(exchange.request))
            (folder / f"{method}.response").write_bytes(exchange.response)
        servers: dict[str, tuple[ServerProcess, str]] = {"service": (service, service.address)}
        options = {"bare gRPC": [], "gRPC, GLIDE": ["--glide", url]}
        if native:
            options["bare pygrpc-native"] = ["--native"]
        responses = [str(folder / f"{method}.response") for method in ("Store", "Search")]
        for name, of_server in options.items():
            arguments = ("bench.overhead.bare_grpc_server", *responses, *of_server)
            servers[name] = stack.enter_context(loopback_process(*arguments))
        if beside is not None:
            modules = {"PYTHONPATH": f"{beside}:{beside / 'clients/python/src'}", "PYTHONSAFEPATH": "1"}
            checkout = stack.enter_context(service_process(**settings, **modules))
            servers["checkout"] = (checkout, checkout.address)
        connections = Connections(parse_url(url, connections=8))
        await connections.open()
        stack.push_async_callback(connections.close)
        client = await cookbook_client(url)
        stack.push_async_callback(client.close)
        print(f"{count} memories of {DIMENSION} dimensions, {USERS} users, k = {K}, {CALLERS} callers, {rounds} rounds")
        results: dict[str, Results] = {}
        for method in exchanges:
            body = folder / f"{method}.body"
            results[method] = await run_rounds(
                {
                    **{name: server_measure(*server, method, body) for name, server in servers.items()},
                    "GLIDE": in_process_measure(glide_calls(connections, embeddings)[method]),
                    "cookbook": in_process_measure(cookbook_calls(client, embeddings)[method]),
                },
                rounds,
            )
            print(f"\n{table(method, results[method])}")
            service.require_all_ok(method)
        if picture is not None:
            draw(results, picture)
        await drop(stub)


async def run_rounds(variants: dict[str, Measure], rounds: int) -> Results:
    """Measure each variant in each round."""
    results: dict[str, list[Measurement]] = {name: [] for name in variants}
    for number in range(rounds):
        for name in rotate(list(variants), number):
            results[name].append(await variants[name]())
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.overhead", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--valkey", default="", help="the engine's URL (default: a new embedded engine)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="where to write the picture of the ratios (PNG)")
    parser.add_argument("--native", action="store_true", help="measure the bare server by pygrpc-native too")
    parser.add_argument("--beside", type=Path, help="another checkout, whose service is measured too")
    args = parser.parse_args()
    if args.memories < USERS * K:
        parser.error(f"--memories must be at least {USERS * K}: {K} for each of {USERS} users")
    log_to_stderr(logging.ERROR)
    uvloop.run(main(args.memories, args.valkey, args.rounds, args.picture, native=args.native, beside=args.beside))
