"""The storage port on Valkey: one document per memory, at `<prefix><storage id>`."""

import secrets
from collections.abc import Sequence
from typing import Any

from memory_service.domain.types import Embedding, IndexInfo, Memory
from memory_service.valkey.client import Client
from memory_service.valkey.connections import Connections, pipeline
from memory_service.valkey.documents import encode_fields
from memory_service.valkey.errors import CommandRefused, document_or_none, is_wrong_type
from memory_service.valkey.expiry import remove_expired
from memory_service.valkey.index_commands import IndexCommands, record_command, revision_of
from memory_service.valkey.layouts import DocumentLayout, layout_of
from memory_service.valkey.schema import IndexMetadata, key_prefix

_PIPELINE = 100
"""Commands in one pipeline, which limits its replies to tens of megabytes."""

_SECRET_KEY = "semantic_memory:secret"  # noqa: S105 - the key, not the secret


class ValkeyMemories:
    """Writes, reads and deletes memories by their storage ids."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._commands = IndexCommands(connections)

    async def insert(
        self, index: IndexInfo, storage_id: str, memory: Memory, embedding: Embedding, terms: Sequence[str]
    ) -> bool:
        layout = layout_of(index.layout)
        key = _key(index, storage_id)
        fields = encode_fields(memory, terms, own_id=memory.id != storage_id)
        command = layout.insert(key, fields, embedding)
        read_record = record_command(index)
        confirmed = self._commands.recently_confirmed(index)
        pipelined = (await self._connections.capabilities()).pipelines_writes

        async def write(client: Client) -> tuple[bool, bytes | None]:
            """Write the document; return whether it was written, and the record of the index afterwards."""
            if not confirmed:
                record: Any = await client.custom_command(read_record)
                if revision_of(record) != index.revision:
                    return False, record
            if pipelined:
                reply, record = await pipeline(client, [command, read_record], raise_on_error=True)
            else:
                reply, record = await client.custom_command(command), await client.custom_command(read_record)
            inserted = layout.was_inserted(reply)
            # A drop removes the record before it searches for memories: while it exists, the drop has missed no memory.
            if inserted and not _fits(index, record):
                await client.custom_command(["DEL", key])
            elif inserted and memory.expires_at is not None:
                await client.custom_command(["PEXPIREAT", key, str(-(-memory.expires_at // 1000))])
            return inserted, record

        try:
            inserted, record = await self._connections.run_to_end(write)
        except CommandRefused as error:
            if not is_wrong_type(error):
                raise
            return False  # A key of other software, or a document of the other layout.
        self._commands.confirm(index, record)
        return inserted

    async def read(self, index: IndexInfo, storage_ids: Sequence[str]) -> list[Memory | None]:
        layout = layout_of(index.layout)
        replies = await self._read(index, [layout.read(_key(index, storage_id)) for storage_id in storage_ids])
        return [layout.decode(storage_id, reply) for storage_id, reply in zip(storage_ids, replies, strict=True)]

    async def embeddings(self, index: IndexInfo, storage_ids: Sequence[str]) -> list[Embedding | None]:
        layout = layout_of(index.layout)
        replies = await self._read(
            index, [layout.read_embedding(_key(index, storage_id)) for storage_id in storage_ids]
        )
        return [_embedding(index, layout, reply) for reply in replies]

    async def delete(self, index: IndexInfo, storage_ids: Sequence[str]) -> list[bool]:
        commands = [["DEL", _key(index, storage_id)] for storage_id in storage_ids]
        deleted: list[bool] = []
        for start in range(0, len(commands), _PIPELINE):
            deleted += map(bool, await self._connections.run_all(commands[start : start + _PIPELINE]))
        return deleted

    async def remove_expired(self, index: IndexInfo, storage_ids: Sequence[str] | None = None) -> int:
        return await remove_expired(self._commands, index, storage_ids)

    async def secret(self) -> bytes:
        # Read first, so that List works while the engine accepts no writes.
        if (secret := await self._connections.run(["GET", _SECRET_KEY])) is None:
            await self._connections.run(["SET", _SECRET_KEY, secrets.token_hex(32), "NX"])
            secret = await self._connections.run(["GET", _SECRET_KEY])
        return bytes.fromhex(secret.decode())

    async def _read(self, index: IndexInfo, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        """Return the replies to reads of documents; None for a key that is not a document of the index's layout."""
        replies: list[Any] = []
        for start in range(0, len(commands), _PIPELINE):
            replies += await self._commands.run_each(index, commands[start : start + _PIPELINE])
        return [document_or_none(reply) for reply in replies]


def _embedding(index: IndexInfo, layout: DocumentLayout, reply: Any) -> Embedding | None:
    """Return the embedding in a reply, if it has the dimension of the index."""
    embedding = layout.decode_embedding(reply)
    return embedding if embedding is not None and embedding.shape == (index.dimension,) else None


def _fits(index: IndexInfo, record: bytes | None) -> bool:
    """Return whether a memory that was written for `index` fits the index of this record as well."""
    if revision_of(record) == index.revision:
        return True
    if record is None:
        return False
    current = IndexMetadata.decode(record)
    written = (index.layout, index.dimension, index.embedding_model)
    return current.dropping is None and (current.layout, current.dimension, current.embedding_model) == written


def _key(index: IndexInfo, storage_id: str) -> str:
    return key_prefix(index.name) + storage_id
