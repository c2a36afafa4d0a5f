"""Deletes the documents of an index that is being dropped, and no other keys under its prefix."""

from memory_service.domain.types import DropResult, Layout
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.lease import Lease
from memory_service.valkey.schema import key_prefix

_BATCH = 100


async def purge(connections: Connections, index: str, layout: Layout, lease: Lease) -> DropResult:
    """Delete the documents of an index and count the keys of other software, which are kept.

    Raises Unavailable when the lease has expired, so that no document of a later index is deleted.
    """
    deleted = kept = 0
    documents = layout_of(layout)
    async for keys in connections.scan(f"{key_prefix(index)}*"):
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            replies = await connections.run_each([documents.probe(key.decode()) for key in batch])
            memories = [
                key
                for key, reply in zip(batch, replies, strict=True)
                if not isinstance(reply, CommandRefused) and documents.is_memory(reply)
            ]
            lease.check()
            deleted += sum(await connections.run_all([["DEL", key] for key in memories]))
            kept += len(batch) - len(memories)
    return DropResult(deleted, kept)
