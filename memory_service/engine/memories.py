"""The memory port on Valkey: documents at `<prefix><slot>`."""

import secrets
from collections.abc import Sequence
from typing import Any

from memory_service.engine.connection import Connections
from memory_service.engine.documents import encode_fields
from memory_service.engine.errors import CommandRefused, misconfigured
from memory_service.engine.layouts import layout_of
from memory_service.engine.schema import key_prefix
from memory_service.memory.types import Embedding, IndexInfo, Memory

_PIPELINE = 100
"""Commands in one pipeline: what one brings back stays within tens of megabytes."""

_SECRET_KEY = "semantic_memory:secret"  # noqa: S105 - where it lies, not what it is


class ValkeyMemories:
    """Writes and reads memories by their slots."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def insert(
        self, index: IndexInfo, slot: str, memory: Memory, embedding: Embedding, terms: Sequence[str]
    ) -> bool:
        layout = layout_of(index.layout)
        fields = encode_fields(memory, terms, own_id=memory.id != slot)
        if not layout.inserted(await self._run(layout.insert(_key(index, slot), fields, embedding))):
            return False
        # Not in one transaction: valkey-search can hang on those. The document carries its end until then.
        if memory.expires is not None:
            await self.expire(index, slot, memory.expires)
        return True

    async def expire(self, index: IndexInfo, slot: str, expires: int) -> None:
        await self._run(["PEXPIREAT", _key(index, slot), str(-(-expires // 1000))])

    async def read(self, index: IndexInfo, slots: Sequence[str]) -> list[Memory | None]:
        layout = layout_of(index.layout)
        replies = await self._run_all([layout.read(_key(index, slot)) for slot in slots])
        return [layout.decode(slot, reply) for slot, reply in zip(slots, replies, strict=True)]

    async def embeddings(self, index: IndexInfo, slots: Sequence[str]) -> list[Embedding | None]:
        layout = layout_of(index.layout)
        replies = await self._run_all([layout.read_embedding(_key(index, slot)) for slot in slots])
        return [layout.decode_embedding(reply) for reply in replies]

    async def delete(self, index: IndexInfo, slots: Sequence[str]) -> list[bool]:
        return [bool(count) for count in await self._run_all([["DEL", _key(index, slot)] for slot in slots])]

    async def secret(self) -> bytes:
        # Looked for first, so that an engine that takes no writes just now can still be read page by page.
        if (known := await self._run(["GET", _SECRET_KEY])) is None:
            await self._run(["SET", _SECRET_KEY, secrets.token_hex(32), "NX"])
            known = await self._run(["GET", _SECRET_KEY])
        return bytes.fromhex(known.decode())

    async def _run(self, command: Sequence[str | bytes]) -> Any:
        try:
            return await self._connections.run(command)
        except CommandRefused as error:
            raise misconfigured(error) from error

    async def _run_all(self, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        replies: list[Any] = []
        for start in range(0, len(commands), _PIPELINE):
            try:
                replies += await self._connections.run_all(commands[start : start + _PIPELINE])
            except CommandRefused as error:
                raise misconfigured(error) from error
        return replies


def _key(index: IndexInfo, slot: str) -> str:
    return key_prefix(index.name) + slot
