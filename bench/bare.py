"""A grpc.aio server that answers Store and Search with bytes made beforehand: the least that gRPC in Python costs.

python -m bench.bare PORT STORE_RESPONSE SEARCH_RESPONSE [--native]     (the responses are files)

With --native pygrpc-native serves instead, which is no dependency: `pip install pygrpc-native` before.
"""

import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import uvloop

from memory_service.rpc.server import OPTIONS, SERVICE


async def main(port: int, stored: bytes, found: bytes, *, native: bool) -> None:
    """Serve until the process is ended; say so on standard output."""

    async def store(_: bytes, __: Any) -> bytes:
        return stored

    async def search(_: bytes, __: Any) -> AsyncIterator[bytes]:
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


if __name__ == "__main__":
    port, *files = sys.argv[1:4]
    uvloop.run(main(int(port), *(Path(one).read_bytes() for one in files), native="--native" in sys.argv))
