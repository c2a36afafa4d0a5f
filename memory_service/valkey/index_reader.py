"""Reads the state of an index from the engine."""

import asyncio

from memory_service.domain.types import Algorithm
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import CommandRefused, is_missing_index
from memory_service.valkey.index_parts import IndexPart
from memory_service.valkey.index_state import IndexState
from memory_service.valkey.replies import join_cluster_info, parse_info
from memory_service.valkey.schema import IndexMetadata, metadata_key, part_name


async def read_index_state(connections: Connections, index: str) -> IndexState:
    """Return the parts of an index that exist, and its metadata."""
    # The record comes first, alone: if its shard is unavailable, this fails at once instead of blocking FT.INFO.
    record = await connections.run(["GET", metadata_key(index)])
    hnsw, flat = await asyncio.gather(
        _read_part(connections, part_name(index, Algorithm.HNSW)),
        _read_part(connections, part_name(index, Algorithm.FLAT)),
    )
    parts = {
        algorithm: part for algorithm, part in ((Algorithm.HNSW, hnsw), (Algorithm.FLAT, flat)) if part is not None
    }
    return IndexState(parts, None if record is None else IndexMetadata.decode(record), record)


async def _read_part(connections: Connections, name: str) -> IndexPart | None:
    try:
        info = await connections.run(["FT.INFO", name])
        if connections.cluster:
            # FT.INFO alone describes one node; these aggregate over all nodes.
            counts = await connections.run(["FT.INFO", name, "PRIMARY"])
            state = await connections.run(["FT.INFO", name, "CLUSTER"])
            info = join_cluster_info(info, counts, state)
    except CommandRefused as error:
        if is_missing_index(error):
            return None
        raise
    return parse_info(info)
