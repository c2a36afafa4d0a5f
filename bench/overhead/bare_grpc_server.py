"""A gRPC server that answers Store and Search with fixed bytes: the lower bound of gRPC in Python.

    python -m bench.overhead.bare_grpc_server PORT STORE_RESPONSE SEARCH_RESPONSE [--glide URL] [--native]

The responses are files. With --glide each call first runs its command on the engine: the lower bound of a service in
Python. With --native the server is pygrpc-native's instead of grpc.aio's. It is not a dependency of this project:
run `pip install pygrpc-native` first.
"""

import argparse
import importlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import uvloop

from bench.harness.data import random_embeddings
from bench.harness.rounds import Call
from bench.overhead.in_process import glide_calls
from bench.overhead.workload import DIMENSION
from memory_service.rpc.server import OPTIONS, SERVICE
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url


async def main(port: int, store_response: bytes, search_response: bytes, *, glide_url: str, native: bool) -> None:
    """Print `serving` when the server is ready, and serve until the process ends."""
    calls: dict[str, Call] = {"Store": _do_nothing, "Search": _do_nothing}
    if glide_url:
        connections = Connections(parse_url(glide_url, connections=8))
        await connections.open()
        calls = glide_calls(connections, random_embeddings(1, DIMENSION))
    numbers = itertools.count()

    async def store(_: bytes, __: Any) -> bytes:
        await calls["Store"](next(numbers))
        return store_response

    async def search(_: bytes, __: Any) -> AsyncIterator[bytes]:
        await calls["Search"](next(numbers))
        yield search_response

    library: Any = importlib.import_module("pygrpc_native.aio") if native else grpc.aio
    # pygrpc-native refuses options that it does not support.
    options = [option for option in OPTIONS if not (native and option[0].startswith("grpc.max_connection_age"))]
    server = library.server(options=[*options, ("grpc.so_reuseport", 0)])
    methods: dict[str, Any] = {
        "Store": grpc.unary_unary_rpc_method_handler(store),
        "Search": grpc.unary_stream_rpc_method_handler(search),
    }
    # Register both ways, as generated code does.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_registered_method_handlers(SERVICE, methods)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()


async def _do_nothing(_: int) -> None: ...


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("store_response", type=Path)
    parser.add_argument("search_response", type=Path)
    parser.add_argument("--glide", default="", help="run each call's command on the engine at this URL")
    parser.add_argument("--native", action="store_true", help="serve by pygrpc-native")
    args = parser.parse_args()
    responses = (args.store_response.read_bytes(), args.search_response.read_bytes())
    uvloop.run(main(args.port, *responses, glide_url=args.glide, native=args.native))
