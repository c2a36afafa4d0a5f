from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from semantic_memory.v1 import error_reason_pb2 as _error_reason_pb2
from semantic_memory.v1 import index_pb2 as _index_pb2
from semantic_memory.v1 import memory_pb2 as _memory_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_MODE_UNSPECIFIED: _ClassVar[SearchMode]
    SEARCH_MODE_VECTOR: _ClassVar[SearchMode]
    SEARCH_MODE_TEXT: _ClassVar[SearchMode]
    SEARCH_MODE_HYBRID: _ClassVar[SearchMode]

class Consistency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSISTENCY_UNSPECIFIED: _ClassVar[Consistency]
    CONSISTENCY_COMPLETE: _ClassVar[Consistency]
    CONSISTENCY_PARTIAL: _ClassVar[Consistency]

class ListOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_ORDER_UNSPECIFIED: _ClassVar[ListOrder]
    LIST_ORDER_OLDEST_FIRST: _ClassVar[ListOrder]
    LIST_ORDER_NEWEST_FIRST: _ClassVar[ListOrder]
SEARCH_MODE_UNSPECIFIED: SearchMode
SEARCH_MODE_VECTOR: SearchMode
SEARCH_MODE_TEXT: SearchMode
SEARCH_MODE_HYBRID: SearchMode
CONSISTENCY_UNSPECIFIED: Consistency
CONSISTENCY_COMPLETE: Consistency
CONSISTENCY_PARTIAL: Consistency
LIST_ORDER_UNSPECIFIED: ListOrder
LIST_ORDER_OLDEST_FIRST: ListOrder
LIST_ORDER_NEWEST_FIRST: ListOrder

class EnsureIndexRequest(_message.Message):
    __slots__ = ("index", "dimension", "embedding_model", "algorithms", "layout")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    ALGORITHMS_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    index: str
    dimension: int
    embedding_model: str
    algorithms: _containers.RepeatedScalarFieldContainer[_index_pb2.Algorithm]
    layout: _index_pb2.Layout
    def __init__(self, index: _Optional[str] = ..., dimension: _Optional[int] = ..., embedding_model: _Optional[str] = ..., algorithms: _Optional[_Iterable[_Union[_index_pb2.Algorithm, str]]] = ..., layout: _Optional[_Union[_index_pb2.Layout, str]] = ...) -> None: ...

class EnsureIndexResponse(_message.Message):
    __slots__ = ("created", "index")
    CREATED_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    created: bool
    index: _index_pb2.Index
    def __init__(self, created: bool = ..., index: _Optional[_Union[_index_pb2.Index, _Mapping]] = ...) -> None: ...

class StoreRequest(_message.Message):
    __slots__ = ("index", "user_id", "session_id", "role", "content", "timestamp", "embedding", "embedding_model", "id", "request_id", "ttl", "expire_time", "labels", "metadata", "near_duplicate_min_score")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INDEX_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    NEAR_DUPLICATE_MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    index: str
    user_id: str
    session_id: str
    role: _memory_pb2.Role
    content: str
    timestamp: _timestamp_pb2.Timestamp
    embedding: bytes
    embedding_model: str
    id: str
    request_id: str
    ttl: _duration_pb2.Duration
    expire_time: _timestamp_pb2.Timestamp
    labels: _containers.RepeatedScalarFieldContainer[str]
    metadata: _containers.ScalarMap[str, str]
    near_duplicate_min_score: float
    def __init__(self, index: _Optional[str] = ..., user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., role: _Optional[_Union[_memory_pb2.Role, str]] = ..., content: _Optional[str] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., embedding: _Optional[bytes] = ..., embedding_model: _Optional[str] = ..., id: _Optional[str] = ..., request_id: _Optional[str] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., near_duplicate_min_score: _Optional[float] = ...) -> None: ...

class StoreResponse(_message.Message):
    __slots__ = ("id", "timestamp", "already_stored", "expire_time", "near_duplicates", "truncated")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ALREADY_STORED_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    NEAR_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    already_stored: bool
    expire_time: _timestamp_pb2.Timestamp
    near_duplicates: _containers.RepeatedCompositeFieldContainer[NearDuplicate]
    truncated: bool
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., already_stored: bool = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., near_duplicates: _Optional[_Iterable[_Union[NearDuplicate, _Mapping]]] = ..., truncated: bool = ...) -> None: ...

class NearDuplicate(_message.Message):
    __slots__ = ("id", "score")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    id: str
    score: float
    def __init__(self, id: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class BatchStoreRequest(_message.Message):
    __slots__ = ("index", "memories")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MEMORIES_FIELD_NUMBER: _ClassVar[int]
    index: str
    memories: _containers.RepeatedCompositeFieldContainer[StoreRequest]
    def __init__(self, index: _Optional[str] = ..., memories: _Optional[_Iterable[_Union[StoreRequest, _Mapping]]] = ...) -> None: ...

class BatchStoreResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchStoreResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchStoreResult, _Mapping]]] = ...) -> None: ...

class BatchStoreResult(_message.Message):
    __slots__ = ("stored", "error")
    STORED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    stored: StoreResponse
    error: BatchStoreError
    def __init__(self, stored: _Optional[_Union[StoreResponse, _Mapping]] = ..., error: _Optional[_Union[BatchStoreError, _Mapping]] = ...) -> None: ...

class BatchStoreError(_message.Message):
    __slots__ = ("code", "reason", "message", "field_violations")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: _error_reason_pb2.ErrorReason
    message: str
    field_violations: _containers.RepeatedCompositeFieldContainer[FieldViolation]
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[_Union[_error_reason_pb2.ErrorReason, str]] = ..., message: _Optional[str] = ..., field_violations: _Optional[_Iterable[_Union[FieldViolation, _Mapping]]] = ...) -> None: ...

class FieldViolation(_message.Message):
    __slots__ = ("field", "description", "rule")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    field: str
    description: str
    rule: str
    def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ..., rule: _Optional[str] = ...) -> None: ...

class Recency(_message.Message):
    __slots__ = ("half_life", "weight")
    HALF_LIFE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    half_life: _duration_pb2.Duration
    weight: float
    def __init__(self, half_life: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class ContextSize(_message.Message):
    __slots__ = ("before", "after")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    before: int
    after: int
    def __init__(self, before: _Optional[int] = ..., after: _Optional[int] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("index", "query_text", "query_embedding", "embedding_model", "filter", "k", "min_score", "mode", "text_weight", "neighbor_weight", "recency", "diversity", "exclude_ids", "context", "consistency", "ef_runtime", "allow_degraded")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    QUERY_TEXT_FIELD_NUMBER: _ClassVar[int]
    QUERY_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    RECENCY_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    EF_RUNTIME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_DEGRADED_FIELD_NUMBER: _ClassVar[int]
    index: str
    query_text: str
    query_embedding: bytes
    embedding_model: str
    filter: _memory_pb2.MemoryFilter
    k: int
    min_score: float
    mode: SearchMode
    text_weight: float
    neighbor_weight: float
    recency: Recency
    diversity: float
    exclude_ids: _containers.RepeatedScalarFieldContainer[str]
    context: ContextSize
    consistency: Consistency
    ef_runtime: int
    allow_degraded: bool
    def __init__(self, index: _Optional[str] = ..., query_text: _Optional[str] = ..., query_embedding: _Optional[bytes] = ..., embedding_model: _Optional[str] = ..., filter: _Optional[_Union[_memory_pb2.MemoryFilter, _Mapping]] = ..., k: _Optional[int] = ..., min_score: _Optional[float] = ..., mode: _Optional[_Union[SearchMode, str]] = ..., text_weight: _Optional[float] = ..., neighbor_weight: _Optional[float] = ..., recency: _Optional[_Union[Recency, _Mapping]] = ..., diversity: _Optional[float] = ..., exclude_ids: _Optional[_Iterable[str]] = ..., context: _Optional[_Union[ContextSize, _Mapping]] = ..., consistency: _Optional[_Union[Consistency, str]] = ..., ef_runtime: _Optional[int] = ..., allow_degraded: bool = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "summary")
    HITS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    summary: SearchSummary
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ..., summary: _Optional[_Union[SearchSummary, _Mapping]] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("memory", "score", "distance", "text_score", "recency_score", "rank_score", "context", "context_hit_id", "context_truncated")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_SCORE_FIELD_NUMBER: _ClassVar[int]
    RECENCY_SCORE_FIELD_NUMBER: _ClassVar[int]
    RANK_SCORE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_HIT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    score: float
    distance: float
    text_score: float
    recency_score: float
    rank_score: float
    context: _containers.RepeatedCompositeFieldContainer[_memory_pb2.Memory]
    context_hit_id: str
    context_truncated: bool
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ..., score: _Optional[float] = ..., distance: _Optional[float] = ..., text_score: _Optional[float] = ..., recency_score: _Optional[float] = ..., rank_score: _Optional[float] = ..., context: _Optional[_Iterable[_Union[_memory_pb2.Memory, _Mapping]]] = ..., context_hit_id: _Optional[str] = ..., context_truncated: bool = ...) -> None: ...

class SearchSummary(_message.Message):
    __slots__ = ("hit_count", "candidate_count", "below_min_score_count", "nearest_score", "index", "embedding_model", "algorithm", "degraded", "embedding_time", "engine_time", "query_terms", "common_terms", "query_truncated")
    HIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BELOW_MIN_SCORE_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEAREST_SCORE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_TIME_FIELD_NUMBER: _ClassVar[int]
    ENGINE_TIME_FIELD_NUMBER: _ClassVar[int]
    QUERY_TERMS_FIELD_NUMBER: _ClassVar[int]
    COMMON_TERMS_FIELD_NUMBER: _ClassVar[int]
    QUERY_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    hit_count: int
    candidate_count: int
    below_min_score_count: int
    nearest_score: float
    index: str
    embedding_model: str
    algorithm: _index_pb2.Algorithm
    degraded: bool
    embedding_time: _duration_pb2.Duration
    engine_time: _duration_pb2.Duration
    query_terms: _containers.RepeatedScalarFieldContainer[str]
    common_terms: _containers.RepeatedScalarFieldContainer[str]
    query_truncated: bool
    def __init__(self, hit_count: _Optional[int] = ..., candidate_count: _Optional[int] = ..., below_min_score_count: _Optional[int] = ..., nearest_score: _Optional[float] = ..., index: _Optional[str] = ..., embedding_model: _Optional[str] = ..., algorithm: _Optional[_Union[_index_pb2.Algorithm, str]] = ..., degraded: bool = ..., embedding_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., engine_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., query_terms: _Optional[_Iterable[str]] = ..., common_terms: _Optional[_Iterable[str]] = ..., query_truncated: bool = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("index", "user_id", "all_users", "ids")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ALL_USERS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    index: str
    user_id: str
    all_users: bool
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, index: _Optional[str] = ..., user_id: _Optional[str] = ..., all_users: bool = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ("deleted_ids", "missing_ids")
    DELETED_IDS_FIELD_NUMBER: _ClassVar[int]
    MISSING_IDS_FIELD_NUMBER: _ClassVar[int]
    deleted_ids: _containers.RepeatedScalarFieldContainer[str]
    missing_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, deleted_ids: _Optional[_Iterable[str]] = ..., missing_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("index", "user_id", "all_users", "id")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ALL_USERS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    index: str
    user_id: str
    all_users: bool
    id: str
    def __init__(self, index: _Optional[str] = ..., user_id: _Optional[str] = ..., all_users: bool = ..., id: _Optional[str] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("memory",)
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ...) -> None: ...

class ListIndexesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListIndexesResponse(_message.Message):
    __slots__ = ("indexes",)
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedCompositeFieldContainer[_index_pb2.Index]
    def __init__(self, indexes: _Optional[_Iterable[_Union[_index_pb2.Index, _Mapping]]] = ...) -> None: ...

class GetIndexRequest(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: str
    def __init__(self, index: _Optional[str] = ...) -> None: ...

class GetIndexResponse(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: _index_pb2.Index
    def __init__(self, index: _Optional[_Union[_index_pb2.Index, _Mapping]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("index", "filter", "order", "page_size", "page_token", "include_embeddings")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    index: str
    filter: _memory_pb2.MemoryFilter
    order: ListOrder
    page_size: int
    page_token: str
    include_embeddings: bool
    def __init__(self, index: _Optional[str] = ..., filter: _Optional[_Union[_memory_pb2.MemoryFilter, _Mapping]] = ..., order: _Optional[_Union[ListOrder, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_embeddings: bool = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("memories", "next_page_token")
    MEMORIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    memories: _containers.RepeatedCompositeFieldContainer[_memory_pb2.Memory]
    next_page_token: str
    def __init__(self, memories: _Optional[_Iterable[_Union[_memory_pb2.Memory, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteMatchingRequest(_message.Message):
    __slots__ = ("index", "filter", "dry_run")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    index: str
    filter: _memory_pb2.MemoryFilter
    dry_run: bool
    def __init__(self, index: _Optional[str] = ..., filter: _Optional[_Union[_memory_pb2.MemoryFilter, _Mapping]] = ..., dry_run: bool = ...) -> None: ...

class DeleteMatchingResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class DropIndexRequest(_message.Message):
    __slots__ = ("index", "delete_memories")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DELETE_MEMORIES_FIELD_NUMBER: _ClassVar[int]
    index: str
    delete_memories: bool
    def __init__(self, index: _Optional[str] = ..., delete_memories: bool = ...) -> None: ...

class DropIndexResponse(_message.Message):
    __slots__ = ("deleted_memory_count", "kept_key_count")
    DELETED_MEMORY_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEPT_KEY_COUNT_FIELD_NUMBER: _ClassVar[int]
    deleted_memory_count: int
    kept_key_count: int
    def __init__(self, deleted_memory_count: _Optional[int] = ..., kept_key_count: _Optional[int] = ...) -> None: ...
