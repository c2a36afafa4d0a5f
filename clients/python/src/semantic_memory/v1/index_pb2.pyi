from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Algorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALGORITHM_UNSPECIFIED: _ClassVar[Algorithm]
    ALGORITHM_HNSW: _ClassVar[Algorithm]
    ALGORITHM_FLAT: _ClassVar[Algorithm]

class Layout(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAYOUT_UNSPECIFIED: _ClassVar[Layout]
    LAYOUT_JSON: _ClassVar[Layout]
    LAYOUT_HASH: _ClassVar[Layout]

class IndexState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INDEX_STATE_UNSPECIFIED: _ClassVar[IndexState]
    INDEX_STATE_READY: _ClassVar[IndexState]
    INDEX_STATE_BACKFILLING: _ClassVar[IndexState]
ALGORITHM_UNSPECIFIED: Algorithm
ALGORITHM_HNSW: Algorithm
ALGORITHM_FLAT: Algorithm
LAYOUT_UNSPECIFIED: Layout
LAYOUT_JSON: Layout
LAYOUT_HASH: Layout
INDEX_STATE_UNSPECIFIED: IndexState
INDEX_STATE_READY: IndexState
INDEX_STATE_BACKFILLING: IndexState

class Index(_message.Message):
    __slots__ = ("name", "state", "memory_count", "dimension", "embedding_model", "algorithms", "indexing_failure_count", "layout")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    ALGORITHMS_FIELD_NUMBER: _ClassVar[int]
    INDEXING_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: IndexState
    memory_count: int
    dimension: int
    embedding_model: str
    algorithms: _containers.RepeatedScalarFieldContainer[Algorithm]
    indexing_failure_count: int
    layout: Layout
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[IndexState, str]] = ..., memory_count: _Optional[int] = ..., dimension: _Optional[int] = ..., embedding_model: _Optional[str] = ..., algorithms: _Optional[_Iterable[_Union[Algorithm, str]]] = ..., indexing_failure_count: _Optional[int] = ..., layout: _Optional[_Union[Layout, str]] = ...) -> None: ...
