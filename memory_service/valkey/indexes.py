"""The index port on Valkey: two engine indexes over one key prefix, and a key with the metadata of the index."""

import asyncio
from dataclasses import replace

import structlog

from memory_service.domain.deadline import remaining
from memory_service.domain.errors import FailedPrecondition
from memory_service.domain.types import Algorithm, DropResult, IndexInfo, IndexSpec, Layout
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused, is_missing_index
from memory_service.valkey.index_reader import read_index_state
from memory_service.valkey.index_state import IndexState
from memory_service.valkey.lease import Lease, wait_for_lease
from memory_service.valkey.purge import purge
from memory_service.valkey.schema import (
    FLAT_SUFFIX,
    TERMS_VERSION,
    IndexMetadata,
    check_spec,
    create_command,
    key_prefix,
    layout_key,
    metadata_key,
    part_name,
)

_log = structlog.get_logger(__name__)

_READY_POLL = 0.05
"""Seconds between two checks of an index that is being built."""


class ValkeyIndexes:
    """Creates, describes and drops indexes of memories at `<prefix><storage id>`.

    A lease serialises servers that create or drop the same index. The metadata record is written last and removed
    first, and a write is acknowledged only while the record exists. A drop therefore misses no acknowledged memory.
    """

    def __init__(self, connections: Connections, *, new_layout: Layout = Layout.JSON) -> None:
        """`new_layout` is the layout of new indexes whose spec sets none."""
        self._connections = connections
        self._new_layout = new_layout

    def last_disconnect_at(self) -> float:
        return self._connections.pool.last_disconnect_at

    async def create(self, spec: IndexSpec) -> tuple[bool, IndexInfo]:
        created = False
        while True:
            state = await read_index_state(self._connections, spec.name)
            if not state.dropping:
                check_spec(spec, await self._layout(spec, state), state.parts, state.metadata)
            if state.dropping or state.metadata is None or _algorithms(spec, state) - state.parts.keys():
                async with wait_for_lease(self._connections, spec.name) as lease:
                    created |= await self._create_missing(spec, lease)
                continue
            info = state.info(spec.name, await self._connections.capabilities())
            if info is not None and info.ready:
                return created, info
            await _wait_for_engine()

    async def describe(self, index: str) -> IndexInfo | None:
        state = await read_index_state(self._connections, index)
        if state.dropping or state.is_foreign(index):
            return None
        return state.info(index, await self._connections.capabilities())

    async def describe_all(self) -> list[IndexInfo]:
        # In a cluster each node returns every name.
        engine_names = {bytes(name).decode(errors="replace") for name in await self._connections.run(["FT._LIST"])}
        infos = []
        for name in sorted({name.removesuffix(FLAT_SUFFIX) for name in engine_names}):
            try:
                infos.append(await self.describe(name))
            except FailedPrecondition:
                # An index of other software, over keys that this user may not read.
                if await self._connections.run(["GET", metadata_key(name)]) is not None:
                    raise
        return [info for info in infos if info is not None]

    async def drop(self, index: str, *, delete_memories: bool) -> DropResult | None:
        async with wait_for_lease(self._connections, index) as lease:
            state = await read_index_state(self._connections, index)
            if not state.exists or state.is_foreign(index):
                return None
            metadata = state.metadata or IndexMetadata(
                "", 0, frozenset(state.parts), Layout(next(iter(state.parts.values())).key_type)
            )
            dropping = replace(metadata, dropping=delete_memories or bool(metadata.dropping))
            await self._connections.run(["SET", metadata_key(index), dropping.encode()])
            return await self._finish_drop(index, dropping, lease)

    async def count_keys(self, index: str) -> int:
        """Count the keys under the prefix of the index by scanning all keys of the engine. Concurrent writes may or may
        not be counted."""
        return sum([len(keys) async for keys in self._connections.scan(f"{key_prefix(index)}*")])

    async def _create_missing(self, spec: IndexSpec, lease: Lease) -> bool:
        """Create the missing parts and the metadata of an index. Return True if any part was created."""
        created = False
        while True:
            state = await read_index_state(self._connections, spec.name)
            if state.dropping and state.metadata is not None:
                await self._finish_drop(spec.name, state.metadata, lease)
                continue
            layout = await self._layout(spec, state)
            check_spec(spec, layout, state.parts, state.metadata)
            algorithms = _algorithms(spec, state)
            missing = sorted(algorithms - state.parts.keys())
            lease.check()
            if not missing:
                if state.metadata is None:
                    metadata = IndexMetadata(
                        spec.embedding_model,
                        spec.dimension,
                        algorithms,
                        layout,
                        terms_version=TERMS_VERSION if created and not await self._has_left_memories(spec.name) else 1,
                    )
                    await self._connections.run(["SET", metadata_key(spec.name), metadata.encode(), "NX"])
                return created
            if state.metadata is not None:
                _log.warning("index_part_created_again", index=spec.name, algorithm=missing[0])
            if await self._create_part(spec.name, spec.dimension, layout, missing[0], algorithms):
                created = True
            else:  # In a cluster it may take a moment until every node reports the part.
                await _wait_for_engine()

    async def _create_part(
        self, index: str, dimension: int, layout: Layout, algorithm: Algorithm, all_of: frozenset[Algorithm]
    ) -> bool:
        """Create one part of an index; return False if it exists already."""
        with_text = algorithm is Algorithm.FLAT or Algorithm.FLAT not in all_of
        try:
            await self._connections.run(create_command(index, algorithm, dimension, layout, with_text=with_text))
        except CommandRefused as error:
            if "already exists" not in error.text:
                raise
            return False
        return True

    async def _finish_drop(self, index: str, metadata: IndexMetadata, lease: Lease) -> DropResult:
        """Do the remaining steps of a drop that the metadata marks."""
        result = DropResult(0, 0)
        if metadata.dropping:
            result = await purge(self._connections, index, metadata.layout, lease)
            await self._connections.run(["DEL", layout_key(index)])
        else:  # A later index of this name must use the layout of the memories that stay.
            await self._connections.run(["SET", layout_key(index), str(metadata.layout)])
        for algorithm in Algorithm:
            lease.check()
            try:
                await self._connections.run(["FT.DROPINDEX", part_name(index, algorithm)])
            except CommandRefused as error:
                if not is_missing_index(error):
                    raise
        await self._connections.run(["DEL", metadata_key(index)])
        return result

    async def _has_left_memories(self, index: str) -> bool:
        """Return whether a dropped index of this name has left its memories."""
        return await self._connections.run(["GET", layout_key(index)]) is not None

    async def _layout(self, spec: IndexSpec, state: IndexState) -> Layout:
        """Return the layout of an index, or of memories that a dropped index has left. For a new index, return the
        requested or the default layout."""
        if state.parts:
            return Layout(next(iter(state.parts.values())).key_type)
        if state.metadata is not None:
            return state.metadata.layout
        previous = await self._connections.run(["GET", layout_key(spec.name)])
        return (spec.layout or self._new_layout) if previous is None else Layout(previous.decode())


def _algorithms(spec: IndexSpec, state: IndexState) -> frozenset[Algorithm]:
    return spec.algorithms or (state.metadata.algorithms if state.metadata else frozenset(Algorithm))


async def _wait_for_engine() -> None:
    await asyncio.sleep(min(_READY_POLL, remaining(_READY_POLL)))
