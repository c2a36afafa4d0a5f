"""Messages of the contract to the domain and back."""

from collections.abc import AsyncIterator

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.embeddings import unpack_embedding
from memory_service.domain.errors import invalid
from memory_service.domain.new_memory import NewMemory, StoreResult
from memory_service.domain.query import (
    DEFAULT_RECENCY_WEIGHT,
    DEFAULT_TEXT_WEIGHT,
    ContextSize,
    Hit,
    Mode,
    Query,
    Recency,
    SearchSummary,
)
from memory_service.domain.sizes import message_size
from memory_service.domain.types import EARLIEST, LATEST, Algorithm, Filter, IndexInfo, Layout, Memory, Role

DEFAULT_K = 5
CHUNK = 25
"""Hits in one message of a stream: each message costs about as much as building 25 hits."""
CHUNK_BYTES = 2**20
"""A message ends before it exceeds this size; only a hit with much context is larger by itself, up to three times."""

_ROLES = {
    memory_pb2.ROLE_USER: Role.USER,
    memory_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    memory_pb2.ROLE_SYSTEM: Role.SYSTEM,
    memory_pb2.ROLE_TOOL: Role.TOOL,
}
_MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: Mode.VECTOR,
    pb.SEARCH_MODE_VECTOR: Mode.VECTOR,
    pb.SEARCH_MODE_TEXT: Mode.TEXT,
    pb.SEARCH_MODE_HYBRID: Mode.HYBRID,
}
_ROLE_NUMBERS = {role: number for number, role in _ROLES.items()}
_ALGORITHMS = {index_pb2.ALGORITHM_HNSW: Algorithm.HNSW, index_pb2.ALGORITHM_FLAT: Algorithm.FLAT}
_LAYOUTS = {index_pb2.LAYOUT_JSON: Layout.JSON, index_pb2.LAYOUT_HASH: Layout.HASH}
_LAYOUT_NUMBERS = {layout: number for number, layout in _LAYOUTS.items()}
_ALGORITHM_NUMBERS = {algorithm: number for number, algorithm in _ALGORITHMS.items()}


def new_memory(request: pb.StoreRequest) -> NewMemory:
    """The memory that a Store asks for.

    Raises InvalidRequest.
    """
    return NewMemory(
        user_id=request.user_id,
        session_id=request.session_id,
        role=_ROLES[request.role],
        content=request.content,
        timestamp=_microseconds(request.timestamp, "timestamp") if request.HasField("timestamp") else None,
        id=request.id,
        request_id=request.request_id,
        embedding=unpack_embedding(request.embedding, field="embedding") if request.embedding else None,
        embedding_model=request.embedding_model,
        ttl=_duration(request.ttl) if request.HasField("ttl") else None,
        expires_at=_microseconds(request.expire_time, "expire_time") if request.HasField("expire_time") else None,
        labels=tuple(request.labels),
        metadata=dict(request.metadata),
        near_duplicate_min_score=(
            request.near_duplicate_min_score if request.HasField("near_duplicate_min_score") else None
        ),
    )


def memory_filter(message: memory_pb2.MemoryFilter) -> Filter:
    """The filter of a request.

    Raises InvalidRequest.
    """
    start = _microseconds(message.start_time, "filter.start_time") if message.HasField("start_time") else None
    end = _microseconds(message.end_time, "filter.end_time") if message.HasField("end_time") else None
    if start is not None and start == end:
        raise invalid("filter.end_time", "must be later than start_time by a microsecond or more", "filter.time_range")
    return Filter(
        user_id=message.user_id or None,
        session_ids=tuple(message.session_ids),
        roles=tuple(_ROLES[role] for role in message.roles),
        start=start,
        end=end,
        any_labels=tuple(message.any_labels),
        all_labels=tuple(message.all_labels),
        exclude_session_ids=tuple(message.exclude_session_ids),
    )


def query(request: pb.SearchRequest) -> Query:
    """The query that a Search asks for.

    Raises InvalidRequest.
    """
    recency = None
    if request.HasField("recency"):
        half_life = _duration(request.recency.half_life)
        weight = request.recency.weight if request.recency.HasField("weight") else DEFAULT_RECENCY_WEIGHT
        recency = Recency(half_life, weight)
    return Query(
        where=memory_filter(request.filter),
        k=request.k if request.HasField("k") else DEFAULT_K,
        text=request.query_text,
        embedding=(
            unpack_embedding(request.query_embedding, field="query_embedding") if request.query_embedding else None
        ),
        embedding_model=request.embedding_model,
        min_score=request.min_score if request.HasField("min_score") else None,
        mode=_MODES[request.mode],
        text_weight=request.text_weight if request.HasField("text_weight") else DEFAULT_TEXT_WEIGHT,
        neighbor_weight=request.neighbor_weight if request.HasField("neighbor_weight") else None,
        recency=recency,
        diversity=request.diversity if request.HasField("diversity") else None,
        exclude_ids=frozenset(request.exclude_ids),
        context=ContextSize(request.context.before, request.context.after) if request.HasField("context") else None,
        allow_partial=request.consistency == pb.CONSISTENCY_PARTIAL,
        ef_runtime=request.ef_runtime if request.HasField("ef_runtime") else None,
        allow_degraded=request.allow_degraded,
    )


def algorithms(request: pb.EnsureIndexRequest) -> frozenset[Algorithm]:
    """The algorithms that an EnsureIndex asks for."""
    return frozenset(_ALGORITHMS[number] for number in request.algorithms)


def layout(request: pb.EnsureIndexRequest) -> Layout | None:
    """The layout that an EnsureIndex asks for."""
    return _LAYOUTS.get(request.layout)


def fill_stored(response: pb.StoreResponse, stored: StoreResult) -> None:
    """Write what became of a memory into its message."""
    response.id = stored.id
    response.already_stored = stored.already_stored
    fill_timestamp(response.timestamp, stored.timestamp)
    if stored.expires_at is not None:
        fill_timestamp(response.expire_time, stored.expires_at)
    response.truncated = stored.truncated
    for one in stored.near_duplicates:
        response.near_duplicates.add(id=one.id, score=one.score)


async def search_responses(found: SearchSummary, hits: AsyncIterator[Hit]) -> AsyncIterator[pb.SearchResponse]:
    """The chunks of an answer, the summary with the last."""
    response = pb.SearchResponse()
    count = size = 0
    async for one in hits:
        more = sum(map(message_size, (one.memory, *one.context)))
        if len(response.hits) == CHUNK or (response.hits and size + more > CHUNK_BYTES):
            yield response
            response, size = pb.SearchResponse(), 0
        _fill_hit(response.hits.add(), one)
        count += 1
        size += more
    _fill_summary(response.summary, found, count)
    yield response


def _fill_hit(hit: pb.Hit, one: Hit) -> None:
    fill_memory(hit.memory, one.memory)
    distance = 1.0 if one.distance is None else one.distance
    hit.distance = distance
    hit.score = 1.0 - distance
    if one.text_score is not None:
        hit.text_score = one.text_score
    if one.recency_score is not None:
        hit.recency_score = one.recency_score
    hit.rank_score = one.rank_score
    for memory in one.context:
        fill_memory(hit.context.add(), memory)
    if one.context_hit_id:
        hit.context_hit_id = one.context_hit_id
    hit.context_truncated = one.context_truncated


def _fill_summary(summary: pb.SearchSummary, found: SearchSummary, hit_count: int) -> None:
    summary.hit_count = hit_count
    summary.candidate_count = found.candidate_count
    summary.below_min_score_count = found.below_min_score_count
    if found.nearest_score is not None:
        summary.nearest_score = found.nearest_score
    summary.index = found.index.name
    summary.embedding_model = found.index.embedding_model or ""
    summary.algorithm = _ALGORITHM_NUMBERS[found.algorithm]
    summary.degraded = found.degraded or found.partial or not found.index.ready
    summary.embedding_time.FromMicroseconds(round(found.embedding_time * 1e6))
    summary.engine_time.FromMicroseconds(round(found.engine_time * 1e6))
    summary.query_truncated = found.query_truncated
    summary.query_terms.extend(found.query_terms)
    summary.common_terms.extend(found.common_terms)


def fill_memory(message: memory_pb2.Memory, memory: Memory) -> None:
    """Write a memory into its message."""
    message.id = memory.id
    message.user_id = memory.user_id
    message.session_id = memory.session_id
    if memory.role is not None:
        message.role = _ROLE_NUMBERS[memory.role]
    message.content = memory.content
    fill_timestamp(message.timestamp, memory.timestamp)
    if memory.labels:
        message.labels.extend(memory.labels)
    if memory.metadata:
        message.metadata.update(memory.metadata)
    if memory.expires_at is not None:
        fill_timestamp(message.expire_time, memory.expires_at)


def fill_timestamp(message: Timestamp, microseconds: int) -> None:
    """Write a time into its message."""
    message.seconds, fraction = divmod(microseconds, 1_000_000)
    message.nanos = fraction * 1000


def index(info: IndexInfo) -> index_pb2.Index:
    """The message of an index."""
    return index_pb2.Index(
        name=info.name,
        state=index_pb2.INDEX_STATE_READY if info.ready else index_pb2.INDEX_STATE_BACKFILLING,
        memory_count=info.memory_count,
        dimension=info.dimension,
        embedding_model=info.embedding_model or "",
        algorithms=sorted(_ALGORITHM_NUMBERS[one] for one in info.algorithms),
        indexing_failure_count=info.indexing_failures,
        layout=_LAYOUT_NUMBERS[info.layout],
    )


def _microseconds(timestamp: Timestamp, field: str) -> int:
    microseconds = timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
    if not (EARLIEST <= microseconds <= LATEST and 0 <= timestamp.nanos < 1_000_000_000):
        raise invalid(field, "must be a time of the years 1 to 9999, with nanos of 0 to 999,999,999", "timestamp.range")
    return microseconds


def _duration(duration: Duration) -> int:
    return duration.seconds * 1_000_000 + duration.nanos // 1000
