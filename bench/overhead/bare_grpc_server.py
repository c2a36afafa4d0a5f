"""A gRPC server that answers Store and Search with bytes made beforehand: the least that gRPC in Python costs.

python -m bench.overhead.bare_grpc_server PORT STORE_RESPONSE SEARCH_RESPONSE [--glide URL] [--native]     (the responses are files)

With --glide each call runs its command on an engine before: the least that a service in Python costs. With --native
pygrpc-native serves instead of grpc.aio; it is no dependency: `pip install pygrpc-native` before.
"""

import argparse
import importlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import uvloop

from bench.harness.processes import random_embeddings
from bench.overhead.in_process import DIMENSION, Work, works_directly
from memory_service.rpc.server import OPTIONS, SERVICE
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url


async def main(port: int, stored: bytes, found: bytes, *, glide: str, native: bool) -> None:
    """Serve until the process is ended; say so on standard output."""
    works: dict[str, Work] = {"Store": _nothing, "Search": _nothing}
    if glide:
        connections = Connections(parse_url(glide, connections=8))
        await connections.open()
        works = works_directly(connections, random_embeddings(1, DIMENSION))
    numbers = itertools.count()

    async def store(_: bytes, __: Any) -> bytes:
        await works["Store"](next(numbers))
        return stored

    async def search(_: bytes, __: Any) -> AsyncIterator[bytes]:
        await works["Search"](next(numbers))
        yield found

    made_by: Any = importlib.import_module("pygrpc_native.aio") if native else grpc.aio
    # It refuses options that it cannot follow.
    options = [one for one in OPTIONS if not (native and one[0].startswith("grpc.max_connection_age"))]
    server = made_by.server(options=[*options, ("grpc.so_reuseport", 0)])
    methods: dict[str, Any] = {
        "Store": grpc.unary_unary_rpc_method_handler(store),
        "Search": grpc.unary_stream_rpc_method_handler(search),
    }
    # Both, as generated code does it.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_registered_method_handlers(SERVICE, methods)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()


async def _nothing(_: int) -> None: ...


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("stored", type=Path)
    parser.add_argument("found", type=Path)
    parser.add_argument("--glide", default="")
    parser.add_argument("--native", action="store_true")
    given = parser.parse_args()
    answers = (given.stored.read_bytes(), given.found.read_bytes())
    uvloop.run(main(given.port, *answers, glide=given.glide, native=given.native))
