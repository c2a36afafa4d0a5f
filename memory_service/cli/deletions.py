"""Apply the deletions of a file of changes to an index."""

from typing import BinaryIO

import grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client
from memory_service.cli.archive import Deleted, read_line, read_lines


async def apply_deletions(memories: client.Stub, index: str, file: BinaryIO, deadline: float) -> int:
    """Delete the memories that the file, read from after its header, lists as deleted; return their number.

    A memory that was stored again with other content stays.
    """
    count = 0
    for line, _ in read_lines(file):
        try:
            entry = read_line(line).entry
        except ValueError:
            continue  # The import reports the line.
        if isinstance(entry, Deleted):
            count += await _delete(memories, index, entry.memory, deadline)
    return count


async def _delete(memories: client.Stub, index: str, deleted: memory_pb2.Memory, deadline: float) -> int:
    get = pb.GetRequest(index=index, user_id=deleted.user_id, id=deleted.id)
    try:
        current = (await client.retry(lambda: memories.Get(get, timeout=deadline))).memory
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return 0
        raise
    if _comparable(current) != _comparable(deleted):
        return 0
    delete = pb.DeleteRequest(index=index, user_id=deleted.user_id, ids=[deleted.id])
    return len((await client.retry(lambda: memories.Delete(delete, timeout=deadline))).deleted_ids)


def _comparable(memory: memory_pb2.Memory) -> memory_pb2.Memory:
    """Return a memory without what may differ between indexes: the embedding and the order of labels."""
    copy = memory_pb2.Memory()
    copy.CopyFrom(memory)
    copy.ClearField("embedding")
    copy.labels.sort()
    return copy
