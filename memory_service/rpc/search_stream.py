"""The stream of a Search: hits in messages of limited size, and a summary in the last one."""

from collections.abc import AsyncIterator

from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.query import Hit, SearchSummary
from memory_service.domain.sizes import message_size
from memory_service.rpc.enums import ALGORITHM_NUMBERS
from memory_service.rpc.responses import fill_memory

CHUNK_HITS = 25
"""Most hits in one message. Sending a message costs about as much as building 25 hits."""
CHUNK_BYTES = 2**20
"""Most bytes in one message. A single hit with a large context may take up to three times as many."""


async def search_responses(summary: SearchSummary, hits: AsyncIterator[Hit]) -> AsyncIterator[pb.SearchResponse]:
    """Yield the messages of a Search. Each is sent once it is full; the last one carries the summary."""
    response = pb.SearchResponse()
    hit_count = size = 0
    async for hit in hits:
        hit_size = sum(map(message_size, (hit.memory, *hit.context)))
        if len(response.hits) == CHUNK_HITS or (response.hits and size + hit_size > CHUNK_BYTES):
            yield response
            response, size = pb.SearchResponse(), 0
        _fill_hit(response.hits.add(), hit)
        hit_count += 1
        size += hit_size
    _fill_summary(response.summary, summary, hit_count)
    yield response


def _fill_hit(message: pb.Hit, hit: Hit) -> None:
    fill_memory(message.memory, hit.memory)
    distance = 1.0 if hit.distance is None else hit.distance
    message.distance = distance
    message.score = 1.0 - distance
    if hit.text_score is not None:
        message.text_score = hit.text_score
    if hit.recency_score is not None:
        message.recency_score = hit.recency_score
    message.rank_score = hit.rank_score
    for memory in hit.context:
        fill_memory(message.context.add(), memory)
    if hit.context_hit_id:
        message.context_hit_id = hit.context_hit_id
    message.context_truncated = hit.context_truncated


def _fill_summary(message: pb.SearchSummary, summary: SearchSummary, hit_count: int) -> None:
    message.hit_count = hit_count
    message.candidate_count = summary.candidate_count
    message.below_min_score_count = summary.below_min_score_count
    if summary.nearest_score is not None:
        message.nearest_score = summary.nearest_score
    message.index = summary.index.name
    message.embedding_model = summary.index.embedding_model or ""
    message.algorithm = ALGORITHM_NUMBERS[summary.algorithm]
    message.degraded = summary.degraded or summary.partial or not summary.index.ready
    message.embedding_time.FromMicroseconds(round(summary.embedding_time * 1e6))
    message.engine_time.FromMicroseconds(round(summary.engine_time * 1e6))
    message.query_truncated = summary.query_truncated
    message.query_terms.extend(summary.query_terms)
    message.common_terms.extend(summary.common_terms)
