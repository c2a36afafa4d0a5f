"""The memory port on Valkey: documents at `<prefix><slot>`."""

import secrets
from collections.abc import Sequence
from typing import Any

from memory_service.domain.types import Embedding, IndexInfo, Memory
from memory_service.valkey.client import Client
from memory_service.valkey.connections import Connections, pipeline
from memory_service.valkey.documents import encode_fields
from memory_service.valkey.errors import CommandRefused, document_or_none, says_wrong_type
from memory_service.valkey.expiry import remove_expired
from memory_service.valkey.index_commands import IndexCommands, record_command, revision_of
from memory_service.valkey.layouts import DocumentLayout, layout_of
from memory_service.valkey.schema import IndexMetadata, key_prefix

_PIPELINE = 100
"""Commands in one pipeline: what one brings back stays within tens of megabytes."""

_SECRET_KEY = "semantic_memory:secret"  # noqa: S105 - where it lies, not what it is


class ValkeyMemories:
    """Writes and reads memories by their slots."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._commands = IndexCommands(connections)

    async def insert(
        self, index: IndexInfo, slot: str, memory: Memory, embedding: Embedding, terms: Sequence[str]
    ) -> bool:
        layout = layout_of(index.layout)
        key = _key(index, slot)
        fields = encode_fields(memory, terms, own_id=memory.id != slot)
        command = layout.insert(key, fields, embedding)
        look = record_command(index)
        fresh = self._commands.is_fresh(index)
        pipelined = await self._connections.pipelines_writes()

        async def work(client: Client) -> tuple[bool, bytes | None]:
            """Whether it was written, and the record of the index afterwards."""
            if not fresh:
                record: Any = await client.custom_command(look)
                if revision_of(record) != index.revision:
                    return False, record
            if pipelined:
                reply, record = await pipeline(client, [command, look], raise_on_error=True)
            else:
                reply, record = await client.custom_command(command), await client.custom_command(look)
            inserted = layout.inserted(reply)
            # A drop removes the record before it looks for memories: one that is still there has missed none.
            if inserted and not _fits(index, record):
                await client.custom_command(["DEL", key])
            elif inserted and memory.expires is not None:
                await client.custom_command(["PEXPIREAT", key, str(-(-memory.expires // 1000))])
            return inserted, record

        try:
            inserted, record = await self._connections.run_to_end(work)
        except CommandRefused as error:
            if not says_wrong_type(error):
                raise
            return False  # Another program's key, or a document of the other layout.
        self._commands.confirm(index, record)
        return inserted

    async def read(self, index: IndexInfo, slots: Sequence[str]) -> list[Memory | None]:
        layout = layout_of(index.layout)
        replies = await self._read(index, [layout.read(_key(index, slot)) for slot in slots])
        return [layout.decode(slot, reply) for slot, reply in zip(slots, replies, strict=True)]

    async def embeddings(self, index: IndexInfo, slots: Sequence[str]) -> list[Embedding | None]:
        layout = layout_of(index.layout)
        replies = await self._read(index, [layout.read_embedding(_key(index, slot)) for slot in slots])
        return [_of_index(index, layout, reply) for reply in replies]

    async def delete(self, index: IndexInfo, slots: Sequence[str]) -> list[bool]:
        commands = [["DEL", _key(index, slot)] for slot in slots]
        deleted: list[bool] = []
        for start in range(0, len(commands), _PIPELINE):
            deleted += map(bool, await self._connections.run_all(commands[start : start + _PIPELINE]))
        return deleted

    async def remove_expired(self, index: IndexInfo, slots: Sequence[str] | None = None) -> int:
        return await remove_expired(self._commands, index, slots)

    async def secret(self) -> bytes:
        # Looked for first, so that an engine that takes no writes just now can still be read page by page.
        if (known := await self._connections.run(["GET", _SECRET_KEY])) is None:
            await self._connections.run(["SET", _SECRET_KEY, secrets.token_hex(32), "NX"])
            known = await self._connections.run(["GET", _SECRET_KEY])
        return bytes.fromhex(known.decode())

    async def _read(self, index: IndexInfo, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        """The replies of documents; None for what is no document of the index's layout."""
        replies: list[Any] = []
        for start in range(0, len(commands), _PIPELINE):
            replies += await self._commands.run_each(index, commands[start : start + _PIPELINE])
        return [document_or_none(reply) for reply in replies]


def _of_index(index: IndexInfo, layout: DocumentLayout, reply: Any) -> Embedding | None:
    """The embedding of the reply, if it has the dimension of the index."""
    embedding = layout.decode_embedding(reply)
    return embedding if embedding is not None and embedding.shape == (index.dimension,) else None


def _fits(index: IndexInfo, record: bytes | None) -> bool:
    """Whether a memory written for `index` is one for the index of this record, too."""
    if revision_of(record) == index.revision:
        return True
    if record is None:
        return False
    now = IndexMetadata.decode(record)
    known = (index.layout, index.dimension, index.embedding_model)
    return now.dropping is None and (now.layout, now.dimension, now.embedding_model) == known


def _key(index: IndexInfo, slot: str) -> str:
    return key_prefix(index.name) + slot
