"""The index port on Valkey: two engine indexes over one prefix, and a key with the record of the index."""

import asyncio
from dataclasses import replace

import structlog

from memory_service.domain.deadline import remaining
from memory_service.domain.errors import FailedPrecondition, Violation
from memory_service.domain.types import Algorithm, Dropped, IndexInfo, IndexPart, IndexSpec, Layout
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused, says_missing
from memory_service.valkey.index_state import FoundIndex
from memory_service.valkey.lease import Lease, lease
from memory_service.valkey.purge import purge
from memory_service.valkey.replies import join_cluster_info, parse_info
from memory_service.valkey.schema import (
    FLAT_SUFFIX,
    IndexMetadata,
    check_metadata,
    check_part,
    create_command,
    key_prefix,
    layout_key,
    metadata_key,
    part_name,
    refuse,
)

_log = structlog.get_logger(__name__)

_READY_POLL = 0.05


class ValkeyIndexes:
    """Indexes of memories at `<prefix><slot>`.

    Servers that create or drop the same index take turns, by a lease. The record is written last and removed first: a
    write is acknowledged only while it is there, so no drop misses an acknowledged memory.
    """

    def __init__(self, connections: Connections, *, new_layout: Layout = Layout.JSON) -> None:
        """`new_layout` is for new indexes that are asked for without one."""
        self._connections = connections
        self._new_layout = new_layout

    def broken_at(self) -> float:
        return self._connections.pool.broken_at

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        created = False
        while True:
            found = await self._look(spec.name)
            if not found.dropping:
                self._check(spec, await self._layout_of(spec, found), found)
            if found.dropping or found.metadata is None or self._wanted(spec, found) - found.parts.keys():
                async with lease(self._connections, spec.name) as held:
                    created |= await self._create(spec, held)
                continue
            info = found.info(spec.name)
            if info is not None and info.ready:
                return created, info
            await asyncio.sleep(min(_READY_POLL, remaining(_READY_POLL)))

    async def describe(self, index: str) -> IndexInfo | None:
        found = await self._look(index)
        if found.dropping or found.is_foreign(index):
            return None
        return found.info(index)

    async def describe_all(self) -> list[IndexInfo]:
        # A cluster's nodes each answer with every name.
        listed = {bytes(name).decode(errors="replace") for name in await self._connections.run(["FT._LIST"])}
        found = []
        for name in sorted({name.removesuffix(FLAT_SUFFIX) for name in listed}):
            try:
                found.append(await self.describe(name))
            except FailedPrecondition:
                # Another program's index, over keys that our user has no right to.
                if await self._connections.run(["GET", metadata_key(name)]) is not None:
                    raise
        return [info for info in found if info is not None]

    async def drop(self, index: str, *, delete_memories: bool) -> Dropped | None:
        async with lease(self._connections, index) as held:
            found = await self._look(index)
            if not found.exists or found.is_foreign(index):
                return None
            metadata = found.metadata or IndexMetadata(
                "", 0, frozenset(found.parts), Layout(next(iter(found.parts.values())).key_type)
            )
            record = replace(metadata, dropping=delete_memories or bool(metadata.dropping))
            await self._connections.run(["SET", metadata_key(index), record.encode()])
            return await self._finish_drop(index, record, held)

    async def count_keys(self, index: str) -> int:
        """How many keys lie where the index looks for memories: a walk over every key of the engine, a step at a time.
        Writes meanwhile may or may not be counted."""
        return sum([len(keys) async for keys in self._connections.scan(f"{key_prefix(index)}*")])

    async def _create(self, spec: IndexSpec, held: Lease) -> bool:
        """Create what is missing of an index; True unless nothing was."""
        created = False
        while True:
            found = await self._look(spec.name)
            if found.dropping and found.metadata is not None:
                await self._finish_drop(spec.name, found.metadata, held)
                continue
            layout = await self._layout_of(spec, found)
            self._check(spec, layout, found)
            wanted = self._wanted(spec, found)
            missing = sorted(wanted - found.parts.keys())
            held.check()
            if not missing:
                if found.metadata is None:
                    metadata = IndexMetadata(spec.embedding_model, spec.dimension, wanted, layout)
                    await self._connections.run(["SET", metadata_key(spec.name), metadata.encode(), "NX"])
                return created
            if found.metadata is not None:
                _log.warning("index_part_created_again", index=spec.name, algorithm=missing[0])
            if await self._create_part(spec.name, spec.dimension, layout, missing[0], wanted):
                created = True
            else:  # On a cluster it may take a moment until it is seen.
                await asyncio.sleep(min(_READY_POLL, remaining(_READY_POLL)))

    async def _finish_drop(self, index: str, record: IndexMetadata, held: Lease) -> Dropped:
        """Do what is left to do of a drop whose record says so."""
        dropped = Dropped(0, 0)
        if record.dropping:
            dropped = await purge(self._connections, index, record.layout, held)
            await self._connections.run(["DEL", layout_key(index)])
        else:  # For those who create the index again over the memories that it leaves behind.
            await self._connections.run(["SET", layout_key(index), str(record.layout)])
        for algorithm in Algorithm:
            held.check()
            try:
                await self._connections.run(["FT.DROPINDEX", part_name(index, algorithm)])
            except CommandRefused as error:
                if not says_missing(error):
                    raise
        await self._connections.run(["DEL", metadata_key(index)])
        return dropped

    async def _create_part(
        self, index: str, dimension: int, layout: Layout, algorithm: Algorithm, all_of: frozenset[Algorithm]
    ) -> bool:
        """Create one part of an index; True unless it is there."""
        extended = algorithm is Algorithm.FLAT or Algorithm.FLAT not in all_of
        try:
            await self._connections.run(create_command(index, algorithm, dimension, layout, extended=extended))
        except CommandRefused as error:
            if "already exists" not in error.text:
                raise
            return False
        return True

    def _wanted(self, spec: IndexSpec, found: FoundIndex) -> frozenset[Algorithm]:
        return spec.algorithms or (found.metadata.algorithms if found.metadata else frozenset(Algorithm))

    async def _layout_of(self, spec: IndexSpec, found: FoundIndex) -> Layout:
        """How the memories of an index lie, even of one that was dropped without them; for a new one what is asked
        for."""
        if found.parts:
            return Layout(next(iter(found.parts.values())).key_type)
        if found.metadata is not None:
            return found.metadata.layout
        left = await self._connections.run(["GET", layout_key(spec.name)])
        return (spec.layout or self._new_layout) if left is None else Layout(left.decode())

    async def _look(self, index: str) -> FoundIndex:
        # This first, alone: where its shard is unavailable it fails at once, and would leave the others to their waits.
        record = await self._connections.run(["GET", metadata_key(index)])
        hnsw, flat = await asyncio.gather(
            self._part(part_name(index, Algorithm.HNSW)), self._part(part_name(index, Algorithm.FLAT))
        )
        found = {Algorithm.HNSW: hnsw, Algorithm.FLAT: flat}
        parts = {algorithm: part for algorithm, part in found.items() if part is not None}
        return FoundIndex(parts, None if record is None else IndexMetadata.decode(record), record)

    async def _part(self, name: str) -> IndexPart | None:
        try:
            info = await self._connections.run(["FT.INFO", name])
            if self._connections.cluster:
                # That was one node's view of itself; these ask them all.
                counts = await self._connections.run(["FT.INFO", name, "PRIMARY"])
                state = await self._connections.run(["FT.INFO", name, "CLUSTER"])
                info = join_cluster_info(info, counts, state)
        except CommandRefused as error:
            if says_missing(error):
                return None
            raise
        return parse_info(info)

    def _check(self, spec: IndexSpec, layout: Layout, found: FoundIndex) -> None:
        """Raise FailedPrecondition (INDEX_DIFFERS) when the index is not what is asked for."""
        differences = [
            one for algorithm, part in found.parts.items() for one in check_part(spec, algorithm, layout, part)
        ]
        if found.metadata is not None:
            differences += check_metadata(spec, found.metadata)
        if spec.layout not in {None, layout}:
            differences.append(Violation("layout", f"memories of {spec.name} lie as {layout}, asked for {spec.layout}"))
        refuse(spec.name, differences)
