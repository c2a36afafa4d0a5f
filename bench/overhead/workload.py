"""The memories, the index and the two requests that bench.overhead measures with."""

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.client import Stub
from memory_service.domain.types import Embedding

DIMENSION, USERS, K = 1536, 100, 10
INDEX = "bench_overhead"
CONTENT = "a message of some words about this and that"


@dataclass(frozen=True)
class Exchange:
    """A serialized request and the service's response to it."""

    request: bytes
    response: bytes


def store_request(user_id: str, embedding: Embedding) -> pb.StoreRequest:
    """Return a Store of one message."""
    return pb.StoreRequest(
        user_id=user_id, session_id="s", role=memory_pb2.ROLE_USER, content=CONTENT, embedding=embedding.tobytes()
    )


async def fill(stub: Stub, embeddings: Sequence[Embedding]) -> None:
    """Create the index with one memory for each embedding, spread over the users."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        await stub.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=120)
    ensure = pb.EnsureIndexRequest(
        index=INDEX, dimension=DIMENSION, embedding_model="bench", algorithms=["ALGORITHM_FLAT"]
    )
    await stub.EnsureIndex(ensure, timeout=60)
    numbers = iter(range(len(embeddings)))
    while batch := list(itertools.islice(numbers, 50)):
        requests = [store_request(f"user{n % USERS}", embeddings[n]) for n in batch]
        await stub.BatchStore(pb.BatchStoreRequest(memories=requests), timeout=60)


async def drop(stub: Stub) -> None:
    """Delete the index and its memories."""
    await stub.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=60)


async def verified_exchanges(stub: Stub, embedding: Embedding) -> dict[str, Exchange]:
    """Call Store and Search once, verify the responses and return the bytes of both by method."""
    store = store_request("user0", embedding)
    search = pb.SearchRequest(query_embedding=embedding.tobytes(), filter=memory_pb2.MemoryFilter(user_id="user0"), k=K)
    store_response = await stub.Store(store, timeout=30)
    [search_response] = [response async for response in stub.Search(search, timeout=30)]
    assert len(search_response.hits) == K
    assert abs(search_response.hits[0].score - 1) < 1e-5
    return {
        "Search": Exchange(search.SerializeToString(), search_response.SerializeToString()),
        "Store": Exchange(store.SerializeToString(), store_response.SerializeToString()),
    }
