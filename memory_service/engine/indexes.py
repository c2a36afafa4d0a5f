"""The index port on Valkey: two engine indexes over one prefix, and a key of metadata."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from memory_service.engine.connection import Connections
from memory_service.engine.errors import CommandRefused, misconfigured, says_missing
from memory_service.engine.replies import join_cluster_info, parse_info
from memory_service.engine.schema import (
    FLAT_SUFFIX,
    IndexMetadata,
    check_metadata,
    check_part,
    create_command,
    is_extended,
    key_prefix,
    layout_key,
    metadata_key,
    part_name,
    refuse,
)
from memory_service.memory.deadline import remaining
from memory_service.memory.errors import Violation
from memory_service.memory.types import Algorithm, IndexInfo, IndexPart, IndexSpec, Layout

_log = structlog.get_logger(__name__)

_READY_POLL = 0.05

_Parts = Mapping[Algorithm, IndexPart]


class ValkeyIndexes:
    """Indexes of memories at `<prefix><slot>`, answered by valkey-search or RediSearch."""

    def __init__(self, connections: Connections, *, new_layout: Layout = Layout.JSON) -> None:
        """`new_layout` is for new indexes that are asked for without one."""
        self._connections = connections
        self._new_layout = new_layout

    def broken_at(self) -> float:
        return self._connections.broken_at

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        created = False
        while True:
            parts, metadata = await self._look(spec.name)
            layout = await self._layout(spec.name, parts, metadata) or spec.layout or self._new_layout
            self._check(spec, layout, parts, metadata)
            wanted = spec.algorithms or (metadata.algorithms if metadata else frozenset(Algorithm))
            # One by one, looked at in between: of callers who disagree, only the first goes on.
            if missing := sorted(wanted - parts.keys()):
                if await self._create_part(spec.name, spec.dimension, layout, missing[0], wanted):
                    created = True
                else:  # Others were faster: on a cluster it may take a moment until it is seen.
                    await asyncio.sleep(min(_READY_POLL, remaining(_READY_POLL)))
                continue
            # Only now the metadata: a crash in between leaves an index that any caller can adopt, not a claim on none.
            if metadata is None:
                claim = IndexMetadata(spec.embedding_model, spec.dimension, wanted, layout)
                await self._run(["SET", metadata_key(spec.name), claim.encode(), "NX"])
                continue
            info = _info(spec.name, parts, metadata)
            if info is not None and info.ready:
                return created, info
            await asyncio.sleep(min(_READY_POLL, remaining(_READY_POLL)))

    async def describe(self, index: str) -> IndexInfo | None:
        parts, metadata = await self._look(index)
        if metadata is not None and (gone := metadata.algorithms - parts.keys()):
            _log.warning("index_made_again", index=index, algorithms=sorted(gone))
            for algorithm in gone:
                await self._create_part(index, metadata.dimension, metadata.layout, algorithm, metadata.algorithms)
            parts, metadata = await self._look(index)
        if metadata is None and any(part.prefixes != (key_prefix(index),) for part in parts.values()):
            return None  # Another program's index, over other keys.
        return _info(index, parts, metadata)

    async def names(self) -> list[str]:
        # A cluster's nodes each answer with every name.
        listed = {bytes(name).decode() for name in await self._run(["FT._LIST"])}
        return sorted({name.removesuffix(FLAT_SUFFIX) for name in listed})

    async def drop(self, index: str, *, delete_memories: bool) -> int:
        deleted = 0
        layout = await self._layout(index, *await self._look(index))
        if layout is not None:  # For those who make the index again over the memories that it leaves behind.
            await self._run(["SET", layout_key(index), str(layout)])
        if delete_memories:
            try:
                async for keys in self._connections.scan(f"{key_prefix(index)}*"):
                    deleted += sum(await self._connections.run_all([["DEL", key] for key in keys]))
            except CommandRefused as error:
                raise misconfigured(error) from error
        # Then what would let the parts be made again.
        await self._run(["DEL", metadata_key(index)])
        for algorithm in Algorithm:
            try:
                await self._connections.run(["FT.DROPINDEX", part_name(index, algorithm)])
            except CommandRefused as error:
                if not says_missing(error):
                    raise misconfigured(error) from error
        if delete_memories:
            await self._run(["DEL", layout_key(index)])
        return deleted

    async def count_keys(self, index: str) -> int:
        """How many keys lie where the index looks for memories: a walk over every key of the engine, a step at a time.
        Writes meanwhile may or may not be counted."""
        return sum([len(keys) async for keys in self._connections.scan(f"{key_prefix(index)}*")])

    async def _run(self, command: Sequence[str | bytes]) -> Any:
        try:
            return await self._connections.run(command)
        except CommandRefused as error:
            raise misconfigured(error) from error

    async def _create_part(
        self, index: str, dimension: int, layout: Layout, algorithm: Algorithm, all_of: frozenset[Algorithm]
    ) -> bool:
        """Create one part of an index; True unless others were faster."""
        extended = algorithm is Algorithm.FLAT or Algorithm.FLAT not in all_of
        try:
            await self._connections.run(create_command(index, algorithm, dimension, layout, extended=extended))
        except CommandRefused as error:
            if "already exists" not in error.text:
                raise misconfigured(error) from error
            return False
        return True

    async def _layout(self, index: str, parts: _Parts, metadata: IndexMetadata | None) -> Layout | None:
        """How the memories of an index lie, even of one that has been dropped; None when there are none."""
        if parts:
            return Layout(next(iter(parts.values())).key_type)
        if metadata is not None:
            return metadata.layout
        left = await self._run(["GET", layout_key(index)])
        return None if left is None else Layout(left.decode())

    async def _look(self, index: str) -> tuple[_Parts, IndexMetadata | None]:
        """The parts of an index that exist, and its metadata."""
        # This first, alone: where its shard is away it fails at once, and would leave the others to their waits.
        metadata = await self._run(["GET", metadata_key(index)])
        hnsw, flat = await asyncio.gather(
            self._part(part_name(index, Algorithm.HNSW)), self._part(part_name(index, Algorithm.FLAT))
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
            if says_missing(error):
                return None
            raise misconfigured(error) from error
        return parse_info(info)

    def _check(self, spec: IndexSpec, layout: Layout, parts: _Parts, metadata: IndexMetadata | None) -> None:
        differences = [one for algorithm, part in parts.items() for one in check_part(spec, algorithm, layout, part)]
        if parts and metadata is not None:
            differences += check_metadata(spec, metadata)
        if spec.layout not in {None, layout}:
            differences.append(Violation("layout", f"memories of {spec.name} lie as {layout}, asked for {spec.layout}"))
        refuse(spec.name, differences)


def _info(name: str, parts: _Parts, metadata: IndexMetadata | None) -> IndexInfo | None:
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
        extended=frozenset(algorithm for algorithm, part in parts.items() if is_extended(part)),
        layout=Layout(some.key_type),
        reports_missing_shards=some.reports_missing_shards,
    )
