"""Removes memories that have expired and are still there: the engine removes a key at its expiry, but a memory has none
when its Store was interrupted between writing the document and setting its expiry.

Only the holder of a lease deletes, so that no server deletes a memory that was stored under the same key since. What
counts is the document when it is read again, not what the search found.
"""

from collections.abc import Sequence

from memory_service.domain.ports import IndexChanged
from memory_service.domain.types import IndexInfo, now
from memory_service.valkey.errors import CommandRefused, says_missing
from memory_service.valkey.index_commands import IndexCommands
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.lease import holding, try_lease
from memory_service.valkey.queries import Searching, expired_before, filter_command
from memory_service.valkey.replies import found_keys
from memory_service.valkey.schema import key_prefix, part_name

_LOT = 500
"""Memories removed in one step."""
_TIMEOUT_MS = 5000


async def remove_expired(commands: IndexCommands, index: IndexInfo, slots: Sequence[str] | None) -> int:
    """Delete the memories at these slots, or with None some of the index, if they have expired; return how many. 0 also
    when another server does so now."""
    found = await _find(commands, index) if slots is None else [key_prefix(index.name) + slot for slot in slots]
    if not found:
        return 0
    held = await try_lease(commands.connections, f"{index.name}:expiry")
    if held is None:
        return 0
    async with holding(held):
        layout = layout_of(index.layout)
        prefix = key_prefix(index.name)
        replies = await commands.run_each(index, [layout.read(key) for key in found])
        memories = [
            (key, None if isinstance(reply, CommandRefused) else layout.decode(key.removeprefix(prefix), reply))
            for key, reply in zip(found, replies, strict=True)
        ]
        gone = [key for key, memory in memories if memory is not None and memory.expired()]
        held.check()
        return sum(await commands.connections.run_all([["DEL", key] for key in gone]))


async def _find(commands: IndexCommands, index: IndexInfo) -> list[str]:
    """The keys of some memories whose indexed expiry has passed."""
    if not index.expiring:
        return []
    part = part_name(index.name, next(iter(sorted(index.expiring))))
    layout = layout_of(index.layout)
    search = Searching(part, _TIMEOUT_MS, all_shards=index.reports_missing_shards, path=layout.path)
    command = filter_command(search, expired_before(now()), _LOT, returned=("expires_us",))
    try:
        [reply] = await commands.run_all(index, [command])
    except CommandRefused as error:
        if says_missing(error):
            raise IndexChanged(index.name) from error
        raise
    return found_keys(reply)
