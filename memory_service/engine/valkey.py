"""The engine port on Valkey."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from memory_service.engine.connection import CommandRefused, Connections
from memory_service.engine.documents import FIELDS, decode_json_reply, encode_document
from memory_service.engine.queries import search_command
from memory_service.engine.replies import join_cluster_info, parse_info, parse_search
from memory_service.engine.schema import (
    FLAT_SUFFIX,
    IndexMetadata,
    check_metadata,
    check_part,
    create_command,
    key_prefix,
    metadata_key,
    part_name,
    refuse,
)
from memory_service.memory.deadline import remaining
from memory_service.memory.errors import FailedPrecondition, Reason, engine_unavailable, index_not_found
from memory_service.memory.types import Algorithm, Candidate, Embedding, Filter, IndexInfo, IndexPart, IndexSpec, Memory

_READY_POLL = 0.05
_PIPELINE = 100
"""Commands in one pipeline: small ones, so that a pipeline stays below the 20 kB at which valkey 9.0 stalls."""
_MISSING_INDEX = ("no such index", "not found", "unknown index name")
_LONGEST_SEARCH = 60.0
"""Seconds: valkey-search takes no longer TIMEOUT."""


class ValkeyEngine:
    """Memories as JSON documents at `<prefix><slot>`, searched through valkey-search or RediSearch."""

    def __init__(self, connections: Connections, *, ef_runtime: int = 200, search_timeout: float = 10.0) -> None:
        """`ef_runtime` is the effort of an HNSW search; the engines' default of 10 finds a fraction of the nearest.
        `search_timeout` in seconds bounds one search, the call's deadline permitting."""
        self._connections = connections
        self._ef_runtime = ef_runtime
        self._search_timeout = min(search_timeout, _LONGEST_SEARCH)

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        parts, metadata = await self._look(spec.name)
        self._check(spec, parts, metadata)
        wanted = spec.algorithms or (metadata.algorithms if metadata else frozenset(Algorithm))
        created = False
        for algorithm in sorted(wanted - set(parts)):
            created |= await self._create_part(spec, algorithm)
        # Only now the metadata: a crash in between leaves an index that any caller can adopt, not a claim on none.
        claim = IndexMetadata(spec.embedding_model, spec.dimension, frozenset(wanted))
        await self._run(["SET", metadata_key(spec.name), claim.encode(), "NX"])
        while True:
            parts, metadata = await self._look(spec.name)
            self._check(spec, parts, metadata)
            info = _info(spec.name, parts, metadata)
            if info is not None and info.ready and info.algorithms >= wanted:
                return created, info
            await asyncio.sleep(min(_READY_POLL, remaining(_READY_POLL)))

    async def describe(self, index: str) -> IndexInfo | None:
        parts, metadata = await self._look(index)
        if metadata is None and any(part.prefixes != (key_prefix(index),) for part in parts.values()):
            return None  # Another program's index, over other keys.
        return _info(index, parts, metadata)

    async def names(self) -> list[str]:
        # A cluster's nodes each answer with every name.
        listed = {bytes(name).decode() for name in await self._run(["FT._LIST"])}
        return sorted({name.removesuffix(FLAT_SUFFIX) for name in listed})

    async def insert(self, index: str, slot: str, memory: Memory, embedding: Embedding) -> bool:
        document = encode_document(memory, embedding, own_id=memory.id != slot)
        return await self._run(["JSON.SET", key_prefix(index) + slot, "$", document, "NX"]) is not None

    async def search(
        self, index: IndexInfo, algorithm: Algorithm, where: Filter, embedding: Embedding, k: int
    ) -> list[Candidate]:
        command = search_command(
            part_name(index.name, algorithm),
            where,
            embedding,
            k,
            algorithm=algorithm,
            ef_runtime=self._ef_runtime,
            timeout_ms=max(1, int(remaining(self._search_timeout) * 1000)),
            all_shards=index.reports_missing_shards,
        )
        try:
            reply = await self._connections.run(command)
        except CommandRefused as error:
            if _says_missing(error):
                raise index_not_found(index.name) from error
            if "timeout" in error.text or "deadline" in error.text or "cancelled" in error.text:
                raise engine_unavailable("did not answer in time from every shard") from error
            raise _misconfigured(error) from error
        # The scope is checked once more on what comes back, whatever the engine made of the filter.
        return [one for one in parse_search(reply, key_prefix(index.name)) if where.admits(one.memory)]

    async def read(self, index: str, slots: Sequence[str]) -> list[Memory | None]:
        paths = [f"$.{name}" for name in FIELDS]
        replies = await self._run_all([["JSON.GET", key_prefix(index) + slot, *paths] for slot in slots])
        return [
            None if reply is None else decode_json_reply(slot, reply)
            for slot, reply in zip(slots, replies, strict=True)
        ]

    async def delete(self, index: str, slots: Sequence[str]) -> list[bool]:
        return [bool(count) for count in await self._run_all([["DEL", key_prefix(index) + slot] for slot in slots])]

    async def ping(self) -> None:
        await self._run(["PING"])

    async def _run(self, command: Sequence[str | bytes]) -> Any:
        try:
            return await self._connections.run(command)
        except CommandRefused as error:
            raise _misconfigured(error) from error

    async def _run_all(self, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        replies: list[Any] = []
        for start in range(0, len(commands), _PIPELINE):
            try:
                replies += await self._connections.run_all(commands[start : start + _PIPELINE])
            except CommandRefused as error:
                raise _misconfigured(error) from error
        return replies

    async def _create_part(self, spec: IndexSpec, algorithm: Algorithm) -> bool:
        try:
            await self._connections.run(create_command(spec.name, algorithm, spec.dimension))
        except CommandRefused as error:
            if "already exists" in error.text:
                return False
            raise _misconfigured(error) from error
        return True

    async def _look(self, index: str) -> tuple[dict[Algorithm, IndexPart], IndexMetadata | None]:
        """The parts of an index that exist, and its metadata."""
        hnsw, flat, metadata = await asyncio.gather(
            self._part(part_name(index, Algorithm.HNSW)),
            self._part(part_name(index, Algorithm.FLAT)),
            self._run(["GET", metadata_key(index)]),
        )
        found = {Algorithm.HNSW: hnsw, Algorithm.FLAT: flat}
        parts = {algorithm: part for algorithm, part in found.items() if part is not None}
        return parts, None if metadata is None else IndexMetadata.decode(metadata)

    async def _part(self, name: str) -> IndexPart | None:
        try:
            info = await self._connections.run(["FT.INFO", name])
            if self._connections.cluster:
                # That was told by one node of itself; these ask them all.
                counts = await self._connections.run(["FT.INFO", name, "PRIMARY"])
                state = await self._connections.run(["FT.INFO", name, "CLUSTER"])
                info = join_cluster_info(info, counts, state)
        except CommandRefused as error:
            if _says_missing(error):
                return None
            raise _misconfigured(error) from error
        return parse_info(info)

    def _check(self, spec: IndexSpec, parts: Mapping[Algorithm, IndexPart], metadata: IndexMetadata | None) -> None:
        differences = [one for algorithm, part in parts.items() for one in check_part(spec, algorithm, part)]
        if parts and metadata is not None:
            differences += check_metadata(spec, metadata)
        refuse(spec.name, differences)


def _info(name: str, parts: Mapping[Algorithm, IndexPart], metadata: IndexMetadata | None) -> IndexInfo | None:
    if not parts:
        return None
    some = next(iter(parts.values()))
    return IndexInfo(
        name=name,
        dimension=some.dimension,
        embedding_model=None if metadata is None else metadata.embedding_model,
        algorithms=frozenset(parts),
        ready=all(part.ready for part in parts.values()),
        memory_count=some.memory_count,
        indexing_failures=max(part.indexing_failures for part in parts.values()),
        reports_missing_shards=some.reports_missing_shards,
    )


def _says_missing(error: CommandRefused) -> bool:
    # GLIDE takes the first word for an error code and puts a colon after it: "Unknown: index name".
    text = error.text.replace(":", "")
    return any(words in text for words in _MISSING_INDEX)


def _misconfigured(error: CommandRefused) -> Exception:
    """The error for what only the operator can mend: a module that is missing, or an ACL that is too tight."""
    if "unknown command" in error.text:
        hint = "Valkey lacks a module: load valkey-search and valkey-json (image valkey/valkey-bundle)"
    elif (
        "noperm" in error.text or "no permissions" in error.text or "noauth" in error.text or "wrongpass" in error.text
    ):
        hint = "Valkey refuses this service's user: check user, password and ACL in MEMORY_VALKEY_URL"
    else:
        return error
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{hint}; this is for the server's operator")
