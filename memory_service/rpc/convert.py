"""Messages of the contract to the domain and back."""

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import index_pb2, memory_pb2, memory_service_pb2

from memory_service.memory.embeddings import unpack_embedding
from memory_service.memory.errors import invalid
from memory_service.memory.memories import Found, NewMemory, Query
from memory_service.memory.types import Algorithm, Filter, IndexInfo, Memory, Role

DEFAULT_K = 5
CHUNK = 25
"""Hits in one message of a stream: each message costs about as much as building 25 hits."""

_ROLES = {
    memory_pb2.ROLE_USER: Role.USER,
    memory_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    memory_pb2.ROLE_SYSTEM: Role.SYSTEM,
    memory_pb2.ROLE_TOOL: Role.TOOL,
}
_ROLE_NUMBERS = {role: number for number, role in _ROLES.items()}
_ALGORITHMS = {index_pb2.ALGORITHM_HNSW: Algorithm.HNSW, index_pb2.ALGORITHM_FLAT: Algorithm.FLAT}
_ALGORITHM_NUMBERS = {algorithm: number for number, algorithm in _ALGORITHMS.items()}


def new_memory(request: memory_service_pb2.StoreRequest) -> NewMemory:
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
    )


def query(request: memory_service_pb2.SearchRequest) -> Query:
    """The query that a Search asks for.

    Raises InvalidRequest.
    """
    where = request.filter
    packed = request.query_embedding
    start = _microseconds(where.start_time, "filter.start_time") if where.HasField("start_time") else None
    end = _microseconds(where.end_time, "filter.end_time") if where.HasField("end_time") else None
    if start is not None and start == end:
        raise invalid("filter.end_time", "must be later than start_time by a microsecond or more", "filter.time_range")
    return Query(
        where=Filter(
            user_id=where.user_id or None,
            session_ids=tuple(where.session_ids),
            roles=tuple(_ROLES[role] for role in where.roles),
            start=start,
            end=end,
        ),
        k=request.k if request.HasField("k") else DEFAULT_K,
        text=request.query_text,
        embedding=unpack_embedding(packed, field="query_embedding") if packed else None,
        embedding_model=request.embedding_model,
        min_score=request.min_score if request.HasField("min_score") else None,
    )


def algorithms(request: memory_service_pb2.EnsureIndexRequest) -> frozenset[Algorithm]:
    """The algorithms that an EnsureIndex asks for."""
    return frozenset(_ALGORITHMS[number] for number in request.algorithms)


def search_responses(found: Found) -> Iterator[memory_service_pb2.SearchResponse]:
    """The chunks of an answer, the summary with the last."""
    response = memory_service_pb2.SearchResponse()
    for count, one in enumerate(found.hits):
        if count and count % CHUNK == 0:
            yield response
            response = memory_service_pb2.SearchResponse()
        hit = response.hits.add()
        fill_memory(hit.memory, one.memory)
        hit.score = one.score
        hit.distance = one.distance
    _fill_summary(response.summary, found)
    yield response


def _fill_summary(summary: memory_service_pb2.SearchSummary, found: Found) -> None:
    summary.hit_count = len(found.hits)
    summary.candidate_count = found.candidate_count
    summary.below_min_score_count = found.candidate_count - len(found.hits)
    if found.nearest_score is not None:
        summary.nearest_score = found.nearest_score
    summary.index = found.index.name
    summary.embedding_model = found.index.embedding_model or ""
    summary.algorithm = _ALGORITHM_NUMBERS[found.algorithm]
    summary.degraded = not found.index.ready
    summary.embedding_time.FromMicroseconds(round(found.embedding_time * 1e6))
    summary.engine_time.FromMicroseconds(round(found.engine_time * 1e6))


def fill_memory(message: memory_pb2.Memory, memory: Memory) -> None:
    """Write a memory into its message."""
    message.id = memory.id
    message.user_id = memory.user_id
    message.session_id = memory.session_id
    if memory.role is not None:
        message.role = _ROLE_NUMBERS[memory.role]
    message.content = memory.content
    fill_timestamp(message.timestamp, memory.timestamp)


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
    )


_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
"""Seconds of the years 1 to 9999: the range that google.protobuf.Timestamp defines."""


def _microseconds(timestamp: Timestamp, field: str) -> int:
    if not (_EARLIEST <= timestamp.seconds <= _LATEST and 0 <= timestamp.nanos < 1_000_000_000):
        raise invalid(field, "must be a time of the years 1 to 9999, with nanos of 0 to 999,999,999", "timestamp.range")
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
