"""The fields of the requests as keyword arguments.

Their names and meaning are those of the request messages: see docs/reference.md. The fields of MemoryFilter stand
beside those of the request. A field that is missing or None is not sent, so the server's default applies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, TypedDict, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from semantic_memory.v1.index_pb2 import Algorithm, Layout
from semantic_memory.v1.memory_pb2 import MemoryFilter, Role
from semantic_memory.v1.memory_service_pb2 import Consistency, ContextSize, ListOrder, Recency, SearchMode, StoreRequest

T = TypeVar("T")
OneOrMore: TypeAlias = T | Sequence[T]

# Quoted, because at runtime the generated enums are not types.
RoleLike: TypeAlias = 'Role | Literal["user", "assistant", "system", "tool"]'
SearchModeLike: TypeAlias = 'SearchMode | Literal["vector", "text", "hybrid"]'
ConsistencyLike: TypeAlias = 'Consistency | Literal["complete", "partial"]'
ListOrderLike: TypeAlias = 'ListOrder | Literal["oldest_first", "newest_first"]'
AlgorithmLike: TypeAlias = 'Algorithm | Literal["hnsw", "flat"]'
LayoutLike: TypeAlias = 'Layout | Literal["json", "hash"]'
TimeLike: TypeAlias = datetime | Timestamp
"""A datetime needs a time zone."""
DurationLike: TypeAlias = timedelta | Duration
EmbeddingLike: TypeAlias = Sequence[float] | bytes
"""Numbers, or the result of `pack`."""


class StoreFields(TypedDict, total=False):
    """The fields of StoreRequest."""

    index: str | None
    user_id: str | None
    session_id: str | None
    role: RoleLike | None
    content: str | None
    timestamp: TimeLike | None
    id: str | None
    request_id: str | None
    ttl: DurationLike | None
    expire_time: TimeLike | None
    embedding: EmbeddingLike | None
    embedding_model: str | None
    labels: OneOrMore[str] | None
    metadata: Mapping[str, str] | None
    near_duplicate_min_score: float | None


class BatchStoreFields(TypedDict, total=False):
    """The fields of BatchStoreRequest."""

    index: str | None
    memories: Sequence[StoreFields | StoreRequest] | None


class FilterFields(TypedDict, total=False):
    """The fields of MemoryFilter, or `filter` instead of them."""

    user_id: str | None
    all_users: bool | None
    session_ids: OneOrMore[str] | None
    roles: OneOrMore[RoleLike] | None
    start_time: TimeLike | None
    end_time: TimeLike | None
    any_labels: OneOrMore[str] | None
    all_labels: OneOrMore[str] | None
    exclude_session_ids: OneOrMore[str] | None
    filter: MemoryFilter | None


class RecencyFields(TypedDict, total=False):
    """The fields of Recency."""

    half_life: DurationLike
    weight: float | None


class ContextFields(TypedDict, total=False):
    """The fields of ContextSize."""

    before: int
    after: int


class SearchFields(FilterFields, total=False):
    """The fields of SearchRequest."""

    index: str | None
    query_text: str | None
    query_embedding: EmbeddingLike | None
    embedding_model: str | None
    k: int | None
    min_score: float | None
    mode: SearchModeLike | None
    text_weight: float | None
    neighbor_weight: float | None
    recency: RecencyFields | Recency | None
    diversity: float | None
    exclude_ids: OneOrMore[str] | None
    context: ContextFields | ContextSize | None
    consistency: ConsistencyLike | None
    ef_runtime: int | None
    allow_degraded: bool | None


class ListFields(FilterFields, total=False):
    """The fields of ListRequest."""

    index: str | None
    order: ListOrderLike | None
    page_size: int | None
    page_token: str | None
    include_embeddings: bool | None


class DeleteMatchingFields(FilterFields, total=False):
    """The fields of DeleteMatchingRequest."""

    index: str | None
    dry_run: bool | None


class GetFields(TypedDict, total=False):
    """The fields of GetRequest."""

    index: str | None
    user_id: str | None
    all_users: bool | None
    id: str | None


class DeleteFields(TypedDict, total=False):
    """The fields of DeleteRequest."""

    index: str | None
    user_id: str | None
    all_users: bool | None
    ids: OneOrMore[str] | None


class EnsureIndexFields(TypedDict, total=False):
    """The fields of EnsureIndexRequest."""

    index: str | None
    dimension: int | None
    embedding_model: str | None
    algorithms: OneOrMore[AlgorithmLike] | None
    layout: LayoutLike | None


class GetIndexFields(TypedDict, total=False):
    """The fields of GetIndexRequest."""

    index: str | None


class DropIndexFields(TypedDict, total=False):
    """The fields of DropIndexRequest."""

    index: str | None
    delete_memories: bool | None
