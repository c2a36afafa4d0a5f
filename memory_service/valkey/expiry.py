"""Removes expired memories whose keys have no expiry in the engine.

The engine removes a key at its expiry. A key has no expiry if its Store was interrupted between writing the document
and setting the expiry. Only the holder of a lease deletes, so that no server deletes a memory that was stored again
under the same key. It reads the document again first, since the search may be outdated.
"""

from collections.abc import Sequence

from memory_service.domain.ports import IndexChanged
from memory_service.domain.types import IndexInfo, now
from memory_service.valkey.errors import CommandRefused, is_missing_index
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.lease import hold_lease, try_lease
from memory_service.valkey.queries import SearchTarget, expired_before, filter_command
from memory_service.valkey.replies import result_keys
from memory_service.valkey.schema import key_prefix, part_name

_BATCH = 500
"""Memories removed in one step."""
_TIMEOUT_MS = 5000


async def remove_expired(commands: IndexCommands, index: IndexInfo, storage_ids: Sequence[str] | None) -> int:
    """Delete expired memories at these storage ids, or, with None, some of the index; return their number.

    Returns 0 if another server is doing the same.
    """
    keys = (
        await _find(commands, index)
        if storage_ids is None
        else [key_prefix(index.name) + storage_id for storage_id in storage_ids]
    )
    if not keys:
        return 0
    lease = await try_lease(commands.connections, f"{index.name}:expiry")
    if lease is None:
        return 0
    async with hold_lease(lease):
        layout = layout_of(index.layout)
        prefix = key_prefix(index.name)
        replies = await commands.run_each(index, [layout.read(key) for key in keys])
        memories = [
            (key, None if isinstance(reply, CommandRefused) else layout.decode(key.removeprefix(prefix), reply))
            for key, reply in zip(keys, replies, strict=True)
        ]
        expired = [key for key, memory in memories if memory is not None and memory.is_expired()]
        lease.check()
        return sum(await commands.connections.run_all([["DEL", key] for key in expired]))


async def _find(commands: IndexCommands, index: IndexInfo) -> list[str]:
    """Return the keys of some memories whose indexed expiry has passed."""
    if not index.expiry_parts:
        return []
    part = part_name(index.name, next(iter(sorted(index.expiry_parts))))
    layout = layout_of(index.layout)
    target = SearchTarget(part, _TIMEOUT_MS, all_shards=index.capabilities.reports_missing_shards, path=layout.path)
    command = filter_command(target, expired_before(now()), _BATCH, returned=("expires_us",))
    try:
        [reply] = await commands.run_all(index, [command])
    except CommandRefused as error:
        if is_missing_index(error):
            raise IndexChanged(index.name) from error
        raise
    return result_keys(reply)
