from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_DIMENSION_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_TEXT_NOT_EMBEDDABLE: _ClassVar[ErrorReason]
    ERROR_REASON_MEMORY_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_INDEX_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_MEMORY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_INDEX_DIFFERS: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_SERVER_MISCONFIGURED: _ClassVar[ErrorReason]
    ERROR_REASON_EMBEDDER_THROTTLED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_EMBEDDER_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_ENGINE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_INDEX_LACKS_FIELDS: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_DIMENSION_MISMATCH: ErrorReason
ERROR_REASON_TEXT_NOT_EMBEDDABLE: ErrorReason
ERROR_REASON_MEMORY_NOT_FOUND: ErrorReason
ERROR_REASON_INDEX_NOT_FOUND: ErrorReason
ERROR_REASON_MEMORY_EXISTS: ErrorReason
ERROR_REASON_INDEX_DIFFERS: ErrorReason
ERROR_REASON_MODEL_MISMATCH: ErrorReason
ERROR_REASON_SERVER_MISCONFIGURED: ErrorReason
ERROR_REASON_EMBEDDER_THROTTLED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_EMBEDDER_UNAVAILABLE: ErrorReason
ERROR_REASON_ENGINE_UNAVAILABLE: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_INDEX_LACKS_FIELDS: ErrorReason
