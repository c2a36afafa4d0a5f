"""Values of the domain as messages of the contract. The responses of a Search are in rpc/search_stream.py."""

from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.new_memory import StoreResult
from memory_service.domain.types import IndexInfo, Memory
from memory_service.rpc.enums import ALGORITHM_NUMBERS, LAYOUT_NUMBERS, ROLE_NUMBERS


def fill_store_response(response: pb.StoreResponse, result: StoreResult) -> None:
    """Write the result of storing one memory into its message."""
    response.id = result.id
    response.already_stored = result.already_stored
    fill_timestamp(response.timestamp, result.timestamp)
    if result.expires_at is not None:
        fill_timestamp(response.expire_time, result.expires_at)
    response.truncated = result.truncated
    for duplicate in result.near_duplicates:
        response.near_duplicates.add(id=duplicate.id, score=duplicate.score)


def fill_memory(message: memory_pb2.Memory, memory: Memory) -> None:
    """Write a memory, without its embedding, into its message."""
    message.id = memory.id
    message.user_id = memory.user_id
    message.session_id = memory.session_id
    if memory.role is not None:
        message.role = ROLE_NUMBERS[memory.role]
    message.content = memory.content
    fill_timestamp(message.timestamp, memory.timestamp)
    if memory.labels:
        message.labels.extend(memory.labels)
    if memory.metadata:
        message.metadata.update(memory.metadata)
    if memory.expires_at is not None:
        fill_timestamp(message.expire_time, memory.expires_at)


def fill_timestamp(message: Timestamp, microseconds: int) -> None:
    """Write a time in microseconds since 1970 into its message."""
    message.seconds, fraction = divmod(microseconds, 1_000_000)
    message.nanos = fraction * 1000


def index_message(info: IndexInfo) -> index_pb2.Index:
    """Return the message that describes an index."""
    return index_pb2.Index(
        name=info.name,
        state=index_pb2.INDEX_STATE_READY if info.ready else index_pb2.INDEX_STATE_BACKFILLING,
        memory_count=info.memory_count,
        dimension=info.dimension,
        embedding_model=info.embedding_model or "",
        algorithms=sorted(ALGORITHM_NUMBERS[algorithm] for algorithm in info.algorithms),
        indexing_failure_count=info.indexing_failures,
        layout=LAYOUT_NUMBERS[info.layout],
    )
