"""How many of the ten nearest turns, by brute force, a VECTOR search finds."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.locomo.api import TIMEOUT
from memory_service.cli.client import Stub
from memory_service.embedding.local import LocalEmbedder

Key = tuple[str, str]
"""User and id of a memory."""
Vectors = Mapping[Key, NDArray[np.float32]]


async def exactness(stub: Stub, conversations: Sequence[dict[str, Any]]) -> str:
    """Measure recall@10 of every fifth question, within its user and over everyone, and format it."""
    embedder = LocalEmbedder()
    by_user = {one["sample_id"]: await _stored_vectors(stub, one["sample_id"]) for one in conversations}
    everyone = {key: vector for vectors in by_user.values() for key, vector in vectors.items()}
    within_user, over_everyone = [], []
    for conversation in conversations:
        user_id = conversation["sample_id"]
        for question in conversation["qa"][::5]:
            text = question["question"]
            query = (await embedder.embed(text)).embedding
            hits = await _search(stub, text, memory_pb2.MemoryFilter(user_id=user_id))
            within_user.append(len(hits & _nearest(by_user[user_id], query)) / 10)
            hits = await _search(stub, text, memory_pb2.MemoryFilter(all_users=True))
            over_everyone.append(len(hits & _nearest(everyone, query)) / 10)
    embedder.close()
    return (
        f"recall@10 of VECTOR against brute force, {len(within_user)} questions: "
        f"{statistics.fmean(within_user):.4f} within a user, {statistics.fmean(over_everyone):.4f} over everyone"
    )


async def _stored_vectors(stub: Stub, user_id: str) -> Vectors:
    vectors: dict[Key, NDArray[np.float32]] = {}
    where = memory_pb2.MemoryFilter(user_id=user_id)
    request = pb.ListRequest(filter=where, include_embeddings=True, page_size=1000)
    while True:
        page = await stub.List(request, timeout=TIMEOUT)
        vectors |= {(user_id, memory.id): np.frombuffer(memory.embedding, "<f4") for memory in page.memories}
        if not page.next_page_token:
            return vectors
        request.page_token = page.next_page_token


async def _search(stub: Stub, text: str, where: memory_pb2.MemoryFilter) -> set[Key]:
    request = pb.SearchRequest(query_text=text, filter=where, k=10)
    hits = [hit async for response in stub.Search(request, timeout=TIMEOUT) for hit in response.hits]
    return {(hit.memory.user_id, hit.memory.id) for hit in hits}


def _nearest(vectors: Vectors, query: NDArray[np.float32]) -> set[Key]:
    keys = list(vectors)
    order = np.argsort(-(np.stack(list(vectors.values())) @ query), kind="stable")
    return {keys[place] for place in order[:10]}
