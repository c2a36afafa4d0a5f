"""The deletions of a file of changes, done in an index."""

from typing import BinaryIO

import grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client
from memory_service.cli.archive import Deleted, read_line, read_lines


async def delete_stale(memories: client.Stub, index: str, file: BinaryIO, deadline: float) -> int:
    """Delete what the file, which stands behind its header, says is deleted; return how many memories that were.

    One that was stored again since, with other content, stays.
    """
    count = 0
    for line, _ in read_lines(file):
        try:
            entry = read_line(line).entry
        except ValueError:
            continue  # The import itself reports the line.
        if isinstance(entry, Deleted):
            count += await _delete(memories, index, entry.memory, deadline)
    return count


async def _delete(memories: client.Stub, index: str, gone: memory_pb2.Memory, deadline: float) -> int:
    get = pb.GetRequest(index=index, user_id=gone.user_id, id=gone.id)
    try:
        there = (await client.patiently(lambda: memories.Get(get, timeout=deadline))).memory
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return 0
        raise
    if _compared(there) != _compared(gone):
        return 0
    delete = pb.DeleteRequest(index=index, user_id=gone.user_id, ids=[gone.id])
    return len((await client.patiently(lambda: memories.Delete(delete, timeout=deadline))).deleted_ids)


def _compared(memory: memory_pb2.Memory) -> memory_pb2.Memory:
    """A memory without what another index may hold otherwise: its embedding, and the order of its labels."""
    compared = memory_pb2.Memory()
    compared.CopyFrom(memory)
    compared.ClearField("embedding")
    compared.labels.sort()
    return compared
