"""LoCoMo's conversations through the gRPC API: a service, Store of their turns, and Search."""

import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.client import Stub, connect
from memory_service.server import run_server
from memory_service.settings import Settings

INDEX = "bench_locomo"
TIMEOUT = 60
MODES: dict[str, dict[str, Any]] = {
    "VECTOR": {"mode": pb.SEARCH_MODE_VECTOR},
    "VECTOR, neighbors": {"mode": pb.SEARCH_MODE_VECTOR, "neighbor_weight": 0.5},
    "TEXT": {"mode": pb.SEARCH_MODE_TEXT},
    "TEXT, neighbors": {"mode": pb.SEARCH_MODE_TEXT, "neighbor_weight": 0.5},
    "HYBRID": {"mode": pb.SEARCH_MODE_HYBRID},
    "HYBRID, neighbors": {"mode": pb.SEARCH_MODE_HYBRID, "neighbor_weight": 0.5},
}
"""Options of SearchRequest by the name that the tables use."""


@contextlib.asynccontextmanager
async def service(url: str) -> AsyncIterator[Stub]:
    """Run a service on this engine while the context is open. Yield a client. The index exists as long."""
    settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(url), drain=0, index=INDEX)
    async with run_server(settings) as server, connect(server.address) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        yield stub
        await stub.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=TIMEOUT)


def store_requests(conversation: dict[str, Any], user_id: str) -> Iterator[pb.StoreRequest]:
    """Yield a Store for each turn. LoCoMo has times of sessions only: turns are half a minute apart."""
    turn_counts: dict[str, int] = {}
    for turn in conversation["turns"]:
        number = turn_counts[turn["session"]] = turn_counts.get(turn["session"], -1) + 1
        start = datetime.strptime(turn["session_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        request = pb.StoreRequest(
            id=turn["dia_id"],
            user_id=user_id,
            session_id=turn["session"],
            role=memory_pb2.ROLE_USER,
            content=f"{turn['speaker']}: {turn['text']}",
        )
        request.timestamp.FromSeconds(int(start.timestamp()) + 30 * number)
        yield request


async def store(stub: Stub, requests: Iterator[pb.StoreRequest]) -> None:
    """Store all of these, a hundred at a time."""
    while batch := list(itertools.islice(requests, 100)):
        response = await stub.BatchStore(pb.BatchStoreRequest(memories=batch), timeout=TIMEOUT)
        assert all(result.HasField("stored") for result in response.results), response


async def timed_search(stub: Stub, request: pb.SearchRequest) -> tuple[list[str], float]:
    """Return the ids of the hits, and the seconds that the search took."""
    started = time.perf_counter()
    ids = [hit.memory.id async for response in stub.Search(request, timeout=TIMEOUT) for hit in response.hits]
    return ids, time.perf_counter() - started
