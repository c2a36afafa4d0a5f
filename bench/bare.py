"""A grpc.aio server that answers Store and Search with bytes made beforehand: the least that gRPC in Python costs.

python -m bench.bare PORT STORE_RESPONSE SEARCH_RESPONSE     (the responses are files)
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import uvloop

from memory_service.rpc.server import OPTIONS


async def main(port: int, stored: bytes, found: bytes) -> None:
    """Serve until the process is ended; say so on standard output."""

    async def store(_: bytes, __: Any) -> bytes:
        return stored

    async def search(_: bytes, __: Any) -> AsyncIterator[bytes]:
        yield found

    server = grpc.aio.server(options=[*OPTIONS, ("grpc.so_reuseport", 0)])
    methods: dict[str, Any] = {
        "Store": grpc.unary_unary_rpc_method_handler(store),
        "Search": grpc.unary_stream_rpc_method_handler(search),
    }
    handler = grpc.method_handlers_generic_handler("semantic_memory.v1.MemoryService", methods)
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()))
