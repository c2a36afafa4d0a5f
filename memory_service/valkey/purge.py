"""Deletes the documents of an index that is being dropped, and nothing else that lies under its prefix."""

from memory_service.domain.types import Dropped, Layout
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.lease import Lease
from memory_service.valkey.schema import key_prefix

_LOT = 100


async def purge(connections: Connections, index: str, layout: Layout, held: Lease) -> Dropped:
    """Delete the documents of an index; count the keys of other programs, which stay.

    Raises Unavailable when the lease has run out, so that no document of a later index is deleted.
    """
    deleted = kept = 0
    documents = layout_of(layout)
    async for keys in connections.scan(f"{key_prefix(index)}*"):
        for start in range(0, len(keys), _LOT):
            lot = keys[start : start + _LOT]
            replies = await connections.run_each([documents.probe(key.decode()) for key in lot])
            ours = [
                key
                for key, reply in zip(lot, replies, strict=True)
                if not isinstance(reply, CommandRefused) and documents.is_memory(reply)
            ]
            held.check()
            gone = sum(await connections.run_all([["DEL", key] for key in ours]))
            deleted += gone
            kept += len(lot) - len(ours)
    return Dropped(deleted, kept)
