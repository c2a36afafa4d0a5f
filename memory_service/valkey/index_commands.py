"""Runs commands on the documents of an index, and checks each time that the index has not changed.

Servers share an engine, and any of them may drop an index or recreate it with another dimension, model or layout. Every
pipeline therefore ends by reading the metadata record of the index. If the record is no longer the one that the caller
knows, the replies say nothing about the current index.
"""

import time
from collections.abc import Sequence
from typing import Any

from memory_service.domain.ports import IndexChanged
from memory_service.domain.types import IndexInfo
from memory_service.valkey.connections import Command, Connections
from memory_service.valkey.errors import CommandRefused
from memory_service.valkey.schema import metadata_key

_CONFIRMED_FOR = 0.1
"""Seconds for which a write relies on an earlier confirmation. Later it checks the index first; otherwise it might have
to remove the document that it has just written."""


class IndexCommands:
    """Runs commands and raises IndexChanged if the index is no longer the same."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._confirmed: dict[str, tuple[str, float]] = {}

    async def run_all(self, index: IndexInfo, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands in one pipeline.

        Raises:
            IndexChanged: the index has changed.
            CommandRefused: the engine refused a command.
        """
        replies = await self.run_each(index, commands)
        for reply in replies:
            if isinstance(reply, CommandRefused):
                raise reply
        return replies

    async def run_each(self, index: IndexInfo, commands: Sequence[Command]) -> list[Any]:
        """As `run_all`, but return a CommandRefused in place of the reply of a refused command."""
        *replies, record = await self.connections.run_each([*commands, record_command(index)])
        if isinstance(record, CommandRefused):
            raise record
        self.confirm(index, record)
        return replies

    def confirm(self, index: IndexInfo, record: bytes | None) -> None:
        """Check that the record that the engine returned belongs to the index.

        Raises IndexChanged.
        """
        if revision_of(record) != index.revision:
            self._confirmed.pop(index.name, None)
            raise IndexChanged(index.name)
        self._confirmed[index.name] = (index.revision, time.monotonic())

    def recently_confirmed(self, index: IndexInfo) -> bool:
        """Return whether a reply confirmed this index within the last tenth of a second."""
        revision, confirmed_at = self._confirmed.get(index.name, ("", 0.0))
        return revision == index.revision and time.monotonic() - confirmed_at < _CONFIRMED_FOR


def record_command(index: IndexInfo) -> list[str | bytes]:
    """Return the command that reads the metadata record of an index."""
    return ["GET", metadata_key(index.name)]


def revision_of(record: bytes | None) -> str:
    """Return the revision of an index with this record; empty without a record."""
    return "" if record is None else record.decode(errors="replace")
