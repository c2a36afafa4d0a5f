from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from semantic_memory.v1 import index_pb2 as _index_pb2
from semantic_memory.v1 import memory_pb2 as _memory_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnsureIndexRequest(_message.Message):
    __slots__ = ("index", "dimension", "embedding_model", "algorithms")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    ALGORITHMS_FIELD_NUMBER: _ClassVar[int]
    index: str
    dimension: int
    embedding_model: str
    algorithms: _containers.RepeatedScalarFieldContainer[_index_pb2.Algorithm]
    def __init__(self, index: _Optional[str] = ..., dimension: _Optional[int] = ..., embedding_model: _Optional[str] = ..., algorithms: _Optional[_Iterable[_Union[_index_pb2.Algorithm, str]]] = ...) -> None: ...

class EnsureIndexResponse(_message.Message):
    __slots__ = ("created", "index")
    CREATED_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    created: bool
    index: _index_pb2.Index
    def __init__(self, created: bool = ..., index: _Optional[_Union[_index_pb2.Index, _Mapping]] = ...) -> None: ...

class StoreRequest(_message.Message):
    __slots__ = ("index", "user_id", "session_id", "role", "content", "timestamp", "embedding", "embedding_model", "id", "request_id")
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
    def __init__(self, index: _Optional[str] = ..., user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., role: _Optional[_Union[_memory_pb2.Role, str]] = ..., content: _Optional[str] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., embedding: _Optional[bytes] = ..., embedding_model: _Optional[str] = ..., id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StoreResponse(_message.Message):
    __slots__ = ("id", "timestamp", "already_stored")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ALREADY_STORED_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    already_stored: bool
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., already_stored: bool = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("index", "query_text", "query_embedding", "embedding_model", "filter", "k", "min_score")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    QUERY_TEXT_FIELD_NUMBER: _ClassVar[int]
    QUERY_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    index: str
    query_text: str
    query_embedding: bytes
    embedding_model: str
    filter: _memory_pb2.MemoryFilter
    k: int
    min_score: float
    def __init__(self, index: _Optional[str] = ..., query_text: _Optional[str] = ..., query_embedding: _Optional[bytes] = ..., embedding_model: _Optional[str] = ..., filter: _Optional[_Union[_memory_pb2.MemoryFilter, _Mapping]] = ..., k: _Optional[int] = ..., min_score: _Optional[float] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "summary")
    HITS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    summary: SearchSummary
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ..., summary: _Optional[_Union[SearchSummary, _Mapping]] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("memory", "score", "distance")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    score: float
    distance: float
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ..., score: _Optional[float] = ..., distance: _Optional[float] = ...) -> None: ...

class SearchSummary(_message.Message):
    __slots__ = ("hit_count", "candidate_count", "below_min_score_count", "nearest_score", "index", "embedding_model", "algorithm", "degraded", "embedding_time", "engine_time")
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
    def __init__(self, hit_count: _Optional[int] = ..., candidate_count: _Optional[int] = ..., below_min_score_count: _Optional[int] = ..., nearest_score: _Optional[float] = ..., index: _Optional[str] = ..., embedding_model: _Optional[str] = ..., algorithm: _Optional[_Union[_index_pb2.Algorithm, str]] = ..., degraded: bool = ..., embedding_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., engine_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

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
