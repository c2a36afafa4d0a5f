"""Requests of the contract as values of the domain.

Requests arrive validated: see rpc/validation.py. Only rules that protovalidate cannot express are checked here.
"""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.embeddings import unpack_embedding
from memory_service.domain.errors import invalid
from memory_service.domain.new_memory import NewMemory
from memory_service.domain.query import DEFAULT_RECENCY_WEIGHT, DEFAULT_TEXT_WEIGHT, ContextSize, Query, Recency
from memory_service.domain.types import EARLIEST, LATEST, Algorithm, Filter, Layout
from memory_service.rpc.enums import ALGORITHMS, LAYOUTS, ROLES, SEARCH_MODES

DEFAULT_K = 5
"""Hits of a Search that does not set `k`."""


def parse_new_memory(request: pb.StoreRequest) -> NewMemory:
    """Return the memory of a Store, or of one item of a BatchStore.

    Raises:
        InvalidRequest: the embedding or a timestamp is malformed.
    """
    return NewMemory(
        user_id=request.user_id,
        session_id=request.session_id,
        role=ROLES[request.role],
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


def parse_filter(message: memory_pb2.MemoryFilter) -> Filter:
    """Return the filter of a Search, List or DeleteMatching.

    Raises:
        InvalidRequest: a timestamp is malformed, or the time range is empty.
    """
    start = _microseconds(message.start_time, "filter.start_time") if message.HasField("start_time") else None
    end = _microseconds(message.end_time, "filter.end_time") if message.HasField("end_time") else None
    if start is not None and start == end:
        raise invalid("filter.end_time", "must be at least 1 microsecond after start_time", "filter.time_range")
    return Filter(
        user_id=message.user_id or None,
        session_ids=tuple(message.session_ids),
        roles=tuple(ROLES[role] for role in message.roles),
        start=start,
        end=end,
        any_labels=tuple(message.any_labels),
        all_labels=tuple(message.all_labels),
        exclude_session_ids=tuple(message.exclude_session_ids),
    )


def parse_query(request: pb.SearchRequest) -> Query:
    """Return the query of a Search, with the contract's defaults for fields that are not set.

    Raises:
        InvalidRequest: the filter or the embedding is malformed.
    """
    recency = None
    if request.HasField("recency"):
        half_life = _duration(request.recency.half_life)
        weight = request.recency.weight if request.recency.HasField("weight") else DEFAULT_RECENCY_WEIGHT
        recency = Recency(half_life, weight)
    return Query(
        where=parse_filter(request.filter),
        k=request.k if request.HasField("k") else DEFAULT_K,
        text=request.query_text,
        embedding=(
            unpack_embedding(request.query_embedding, field="query_embedding") if request.query_embedding else None
        ),
        embedding_model=request.embedding_model,
        min_score=request.min_score if request.HasField("min_score") else None,
        mode=SEARCH_MODES[request.mode],
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


def parse_algorithms(request: pb.EnsureIndexRequest) -> frozenset[Algorithm]:
    """Return the algorithms of an EnsureIndex; empty when the request sets none."""
    return frozenset(ALGORITHMS[number] for number in request.algorithms)


def parse_layout(request: pb.EnsureIndexRequest) -> Layout | None:
    """Return the layout of an EnsureIndex; None when the request sets none."""
    return LAYOUTS.get(request.layout)


def _microseconds(timestamp: Timestamp, field: str) -> int:
    microseconds = timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
    if not (EARLIEST <= microseconds <= LATEST and 0 <= timestamp.nanos < 1_000_000_000):
        raise invalid(field, "must be in the years 1 to 9999, with nanos from 0 to 999,999,999", "timestamp.range")
    return microseconds


def _duration(duration: Duration) -> int:
    """Return a duration in microseconds."""
    return duration.seconds * 1_000_000 + duration.nanos // 1000
