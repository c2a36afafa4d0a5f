"""Commands on the documents of one index, each time with a check that the index has not changed.

Several servers share an engine: any of them may drop an index, or create it anew with another dimension, model or
layout. Every pipeline therefore ends by reading the index's record; when that is no longer the one that the caller
knows, the replies say nothing about the index as it is now.
"""

import time
from collections.abc import Sequence
from typing import Any

from memory_service.domain.ports import IndexChanged
from memory_service.domain.types import IndexInfo
from memory_service.valkey.connections import Command, Connections
from memory_service.valkey.errors import CommandRefused
from memory_service.valkey.schema import metadata_key

_FRESH = 0.1
"""Seconds for which a write relies on what a reply said of the index. Later it looks before it writes, so that it does
not leave a document where it has to be removed again."""


class IndexCommands:
    """Runs them."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._seen: dict[str, tuple[str, float]] = {}

    async def run_all(self, index: IndexInfo, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands in one pipeline.

        Raises:
            IndexChanged: the index is another one by now.
            CommandRefused: the engine refused a command.
        """
        replies = await self.run_each(index, commands)
        for reply in replies:
            if isinstance(reply, CommandRefused):
                raise reply
        return replies

    async def run_each(self, index: IndexInfo, commands: Sequence[Command]) -> list[Any]:
        """As `run_all`, with the CommandRefused of a command that was refused in the place of its reply."""
        *replies, revision = await self.connections.run_each([*commands, record_command(index)])
        if isinstance(revision, CommandRefused):
            raise revision
        self.confirm(index, revision)
        return replies

    def confirm(self, index: IndexInfo, record: bytes | None) -> None:
        """Check the record that the engine has returned.

        Raises IndexChanged.
        """
        if revision_of(record) != index.revision:
            self._seen.pop(index.name, None)
            raise IndexChanged(index.name)
        self._seen[index.name] = (index.revision, time.monotonic())

    def is_fresh(self, index: IndexInfo) -> bool:
        """Whether a reply has confirmed this index a moment ago."""
        revision, seen = self._seen.get(index.name, ("", 0.0))
        return revision == index.revision and time.monotonic() - seen < _FRESH


def record_command(index: IndexInfo) -> list[str | bytes]:
    """Read the record of an index."""
    return ["GET", metadata_key(index.name)]


def revision_of(record: bytes | None) -> str:
    """The revision of an index with this record; empty without one."""
    return "" if record is None else record.decode(errors="replace")
