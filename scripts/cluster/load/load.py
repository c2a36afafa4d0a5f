"""Call the service for some seconds and print a JSON line for each call.

    load.py product|health|plain ADDRESS CA TOKEN SECONDS

`product` is the Python client. `health` is gRPC with round robin and health checks, but without retries. `plain` is
gRPC without any settings.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Protocol

import grpc
from semantic_memory import TLS, MemoryClient, MemoryServiceError
from semantic_memory.connection import authorization, with_request_id
from semantic_memory.errors import to_error
from semantic_memory.requests import to_request
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

_DEADLINE = 10.0
_HEALTH: dict[str, object] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "semantic_memory.v1.MemoryService"},
}
_output = threading.Lock()


class Calls(Protocol):
    """The two calls of the load."""

    def store(self, content: str, user: str) -> None: ...
    def search(self, query: str, user: str) -> None: ...


class ProductCalls:
    """Calls of the Python client."""

    def __init__(self, address: str, ca: str, token: str) -> None:
        self._client = MemoryClient(address, tls=TLS(ca=ca), token=token, timeout=_DEADLINE)

    def store(self, content: str, user: str) -> None:
        self._client.store(content, user_id=user, session_id="load", role="user")

    def search(self, query: str, user: str) -> None:
        for _ in self._client.search(query, user_id=user):
            pass


class StubCalls:
    """Calls of the generated stub, without the client's settings."""

    def __init__(self, address: str, ca: str, token: str, config: dict[str, object] | None) -> None:
        options = [("grpc.service_config", json.dumps(config))] if config else []
        self._stub = MemoryServiceStub(grpc.secure_channel(address, TLS(ca=ca).credentials(), options))
        self._metadata = authorization(token)

    def store(self, content: str, user: str) -> None:
        fields = {"user_id": user, "session_id": "load", "role": "user"}
        request = with_request_id(to_request(pb.StoreRequest, content, fields))
        self._stub.Store(request, timeout=_DEADLINE, metadata=self._metadata)

    def search(self, query: str, user: str) -> None:
        request = to_request(pb.SearchRequest, query, {"user_id": user})
        responses: Iterator[pb.SearchResponse] = self._stub.Search(request, timeout=_DEADLINE, metadata=self._metadata)
        for _ in responses:
            pass


def _repeat(calls: Calls, user: str, end: float) -> None:
    count = 0
    while (began := time.time()) < end:
        count += 1
        operation = "store" if count % 4 == 0 else "search"
        error = None
        try:
            if operation == "store":
                calls.store(f"note {count} of {user}", user)
            else:
                calls.search("which note?", user)
        except MemoryServiceError as failure:
            error = str(failure)
        except grpc.RpcError as failure:
            error = str(to_error(failure))
        took = time.time() - began
        with _output:
            print(json.dumps({"at": began, "operation": operation, "seconds": took, "error": error}), flush=True)
        time.sleep(max(0.0, 0.2 - took))


def main() -> None:
    """Run three tasks, each with up to five calls per second."""
    kind, address, ca, token, seconds = sys.argv[1:]
    calls: Calls
    if kind == "product":
        calls = ProductCalls(address, ca, token)
    else:
        calls = StubCalls(address, ca, token, _HEALTH if kind == "health" else None)
    end = time.time() + float(seconds)
    tasks = [threading.Thread(target=_repeat, args=(calls, f"{kind}-{task}", end), daemon=True) for task in range(3)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()


if __name__ == "__main__":
    main()
