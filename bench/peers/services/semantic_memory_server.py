"""This service: `memory-service serve` on an engine of its own, with its defaults."""

import contextlib
from collections.abc import AsyncIterator

from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.h2load import grpc_frame
from bench.harness.processes import ServiceProcess, service_process
from bench.peers.connections import GrpcConnection, Http1Connection, Request, grpc_messages
from bench.peers.engine import Engine, connected_engine
from bench.peers.workload import K, Workload, memory_id
from memory_service.cli.client import connect
from memory_service.rpc.server import SERVICE

INDEX = "bench_peers"
START = 1_700_000_000
"""The time of the first memory. The others follow by a second each."""


def store_message(work: Workload, number: int) -> pb.StoreRequest:
    """Return the request that stores this memory."""
    return pb.StoreRequest(
        id=memory_id(number),
        user_id=work.user(number),
        session_id="s",
        role=memory_pb2.ROLE_USER,
        content=work.texts[number],
        timestamp=Timestamp(seconds=START + number),
        embedding=work.vectors[number].tobytes(),
    )


def search_message(work: Workload, query: int) -> pb.SearchRequest:
    """Return the request that searches by this query within its user."""
    where = memory_pb2.MemoryFilter(user_id=work.user(query))
    return pb.SearchRequest(query_embedding=work.vectors[query].tobytes(), filter=where, k=K)


class SemanticMemoryServer:
    """Requests as bytes of gRPC."""

    title = "semantic_memory (gRPC)"
    about = "this checkout, one worker, defaults: JSON documents, HNSW and FLAT; the caller's embeddings in the request"
    protocol: type[Http1Connection | GrpcConnection] = GrpcConnection

    def __init__(self, work: Workload, process: ServiceProcess, engine: Engine) -> None:
        self.process = process
        self.address = process.address
        self._work = work
        self._engine = engine

    def store_request(self, number: int) -> Request:
        """Return the request that stores this memory."""
        return Request(f"/{SERVICE}/Store", grpc_frame(store_message(self._work, number).SerializeToString()))

    def search_request(self, query: int) -> Request:
        """Return the request that searches by this query within its user."""
        return Request(f"/{SERVICE}/Search", grpc_frame(search_message(self._work, query).SerializeToString()))

    def result_ids(self, response: bytes) -> list[str]:
        """Return the ids of the memories in a search's response, best first."""
        messages = (pb.SearchResponse.FromString(message) for message in grpc_messages(response))
        return [hit.memory.id for message in messages for hit in message.hits]

    async def wait_until_stored(self, count: int) -> None:
        """Return at once: a memory can be found when Store has returned."""

    async def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU time that the server's processes have used so far, and that of its engine."""
        return self.process.cpu_seconds(), await self._engine.cpu_seconds()


@contextlib.asynccontextmanager
async def semantic_memory_server(
    work: Workload, url: str = "", appendfsync: str = "no"
) -> AsyncIterator[SemanticMemoryServer]:
    """Run a new server with an empty index while the context is open."""
    async with connected_engine(url, appendfsync) as engine:
        with service_process(MEMORY_VALKEY_URL=engine.url, MEMORY_INDEX=INDEX) as process:
            async with connect(process.address) as stub:
                ensure = pb.EnsureIndexRequest(dimension=work.vectors.shape[1], embedding_model="bench")
                await stub.EnsureIndex(ensure, timeout=60)
                yield SemanticMemoryServer(work, process, engine)
                await stub.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=600)
