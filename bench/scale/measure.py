"""What bench.scale measures of one kind of index at each size."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.data import random_embeddings
from bench.harness.h2load import LoadResult, grpc_frame, run_h2load
from bench.scale.memories import INDEX, USERS, K, drop, fill, recall, search
from memory_service.cli.client import Stub
from memory_service.domain.types import Algorithm, Layout
from memory_service.valkey import Connections

QUERIES = 50
CALLERS, CALLERS_AT = (1, 4, 16, 64), 10_000
"""Numbers of callers, and the size at which each of them is measured."""


@dataclass(frozen=True)
class IndexKind:
    """Dimension, layout and algorithms of an index."""

    dimension: int
    layout: Layout
    algorithms: tuple[Algorithm, ...]

    @classmethod
    def parse(cls, text: str) -> "IndexKind":
        """Parse a text such as 384-JSON-both."""
        dimension, layout, algorithms = text.split("-")
        chosen = tuple(Algorithm) if algorithms == "both" else (Algorithm(algorithms),)
        return cls(int(dimension), Layout(layout), chosen)

    def __str__(self) -> str:
        return f"{self.dimension} {self.layout} {'both' if len(self.algorithms) > 1 else self.algorithms[0]}"

    def ensure_request(self) -> pb.EnsureIndexRequest:
        """Return the request that creates such an index."""
        return pb.EnsureIndexRequest(
            index=INDEX,
            dimension=self.dimension,
            embedding_model="random",
            algorithms=[f"ALGORITHM_{algorithm}" for algorithm in self.algorithms],
            layout=f"LAYOUT_{self.layout}",
        )


@dataclass(frozen=True)
class Measurement:
    """The results for one kind at one size."""

    kind: IndexKind
    size: int
    kib: float
    """Engine memory for each memory."""
    writes: float
    """Writes a second."""
    recall: float
    alone: dict[str, LoadResult]
    """Of one caller, by scope: a user, or everyone."""
    together: dict[str, LoadResult]
    """Of 16 callers, by scope."""
    callers: dict[int, LoadResult]
    """Within the user of a hundred memories, by number of callers."""


@dataclass(frozen=True)
class Target:
    """The engine and the service under measurement, and a folder for request bodies."""

    engine: Connections
    stub: Stub
    address: str
    folder: Path


async def measure_sizes(target: Target, kind: IndexKind, sizes: Sequence[int]) -> AsyncIterator[Measurement]:
    """Grow an index of this kind and yield the results at each size."""
    embeddings = random_embeddings(max(sizes), kind.dimension)
    used_before = await _used_memory(target.engine)
    await target.stub.EnsureIndex(kind.ensure_request(), timeout=60)
    stored = 0
    for size in sizes:
        writes = await fill(target.engine, range(stored, size), embeddings)
        stored = size
        kib = (await _used_memory(target.engine) - used_before) / size / 1024
        yield await _measure(target, kind, kib, writes, np.array(embeddings[:size]))
    await drop(target.stub)


async def _measure(
    target: Target, kind: IndexKind, kib: float, writes: float, embeddings: NDArray[np.float32]
) -> Measurement:
    size = len(embeddings)
    scopes = {name: memory_pb2.MemoryFilter(user_id=name) for name, count in USERS.items() if 2 * count <= size}
    scopes["everyone"] = memory_pb2.MemoryFilter(all_users=True)
    queries = random_embeddings(QUERIES, kind.dimension, seed=8)
    bodies = {}
    for scope, where in scopes.items():
        request = pb.SearchRequest(index=INDEX, query_embedding=queries[0].tobytes(), filter=where, k=K)
        hits = await search(target.stub, request)
        assert len(hits) == min(K, USERS.get(scope, K)), f"{len(hits)} hits of {scope}"
        bodies[scope] = target.folder / scope
        bodies[scope].write_bytes(grpc_frame(request.SerializeToString()))

    def load(body: Path, callers: int, calls: int) -> LoadResult:
        connections = min(4, callers)
        streams = callers // connections
        return run_h2load(target.address, "Search", body, calls=calls, connections=connections, streams=streams)

    return Measurement(
        kind,
        size,
        kib,
        writes,
        await recall(target.stub, embeddings, queries),
        alone={scope: load(body, 1, 300) for scope, body in bodies.items()},
        together={scope: load(body, 16, 1000) for scope, body in bodies.items()},
        callers={count: load(bodies["hundred"], count, 1000) for count in CALLERS} if size == CALLERS_AT else {},
    )


async def _used_memory(engine: Connections) -> int:
    """Return the bytes that the engine uses."""
    info = bytes(await engine.run(["INFO", "memory"])).decode()
    return int(info.partition("used_memory:")[2].split()[0])
