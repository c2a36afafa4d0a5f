"""The memories of bench.scale: who owns them, how they are written, and the recall of searches among them."""

import asyncio
import random
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.data import WORDS
from memory_service.cli.client import Stub
from memory_service.domain.ids import new_id
from memory_service.domain.text_analysis import stored_terms
from memory_service.domain.types import Embedding, Memory, Role
from memory_service.valkey import Connections, ValkeyIndexes, ValkeyMemories

INDEX, K = "bench_scale", 10
USERS = {"one": 1, "hundred": 100, "many": 10_000}
"""How many memories each of these users has."""
WRITERS = 16


def user_of(number: int) -> str:
    """Return the user of the memory with this number."""
    if number < 1:
        return "one"
    if number <= 100:
        return "hundred"
    return "many" if 10_000 <= number < 20_000 else f"user{number // 100}"


async def fill(engine: Connections, numbers: range, embeddings: Sequence[Embedding]) -> float:
    """Write the memories with these numbers straight to the engine. Return the writes a second."""
    index = await ValkeyIndexes(engine).describe(INDEX)
    assert index is not None
    store, remaining = ValkeyMemories(engine), iter(numbers)

    async def writer() -> None:
        for number in remaining:
            content = " ".join(random.Random(number).choices(WORDS, k=30))
            memory = Memory(new_id(), user_of(number), f"s{number // 20}", Role.USER, content, number * 1_000_000)
            assert await store.insert(index, memory.id, memory, embeddings[number], stored_terms(content))

    started = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return len(numbers) / (time.perf_counter() - started)


async def search(stub: Stub, request: pb.SearchRequest) -> list[pb.Hit]:
    """Return the hits of a search."""
    return [hit async for response in stub.Search(request, timeout=60) for hit in response.hits]


async def recall(
    stub: Stub, embeddings: NDArray[np.float32], queries: Sequence[Embedding], ef_runtime: int | None = None
) -> float:
    """Return recall@10 of searches over all users against brute force, by default with the server's `ef_runtime`."""
    correct = 0
    for query in queries:
        # The time of a memory, in seconds, is its number.
        nearest = {str(number) for number in np.argsort(embeddings @ query)[-K:]}
        request = pb.SearchRequest(
            index=INDEX,
            query_embedding=query.tobytes(),
            filter=memory_pb2.MemoryFilter(all_users=True),
            k=K,
            ef_runtime=ef_runtime,
        )
        correct += len(nearest & {str(hit.memory.timestamp.seconds) for hit in await search(stub, request)})
    return correct / K / len(queries)


async def drop(stub: Stub) -> None:
    """Delete the index and its memories."""
    await stub.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=900)
