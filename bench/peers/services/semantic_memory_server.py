"""This service: `memory-service serve` on an engine of its own, with its defaults."""

import contextlib
import json
from collections.abc import AsyncIterator

import psutil
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import Running, framed, process
from bench.peers.load_generator import Call, Grpc, Http1, messages
from bench.peers.services.service import Engine, engine, family_cpu
from bench.peers.workload import K, Workload, name
from memory_service.cli.client import connect
from memory_service.rpc.server import SERVICE

INDEX = "bench_peers"
START = 1_700_000_000
"""When the first memory was said; the others follow by seconds."""


def store_request(work: Workload, number: int) -> pb.StoreRequest:
    """Store this memory."""
    return pb.StoreRequest(
        id=name(number),
        user_id=work.user(number),
        session_id="s",
        role=memory_pb2.ROLE_USER,
        content=work.texts[number],
        timestamp=Timestamp(seconds=START + number),
        embedding=work.vectors[number].tobytes(),
    )


def search_request(work: Workload, query: int) -> pb.SearchRequest:
    """Search by this query within its user."""
    where = memory_pb2.MemoryFilter(user_id=work.user(query))
    return pb.SearchRequest(query_embedding=work.vectors[query].tobytes(), filter=where, k=K)


class Ours:
    """Calls as bytes of gRPC."""

    title = "semantic_memory (gRPC)"
    about = "this checkout, one worker, defaults: JSON documents, HNSW and FLAT; the caller's embeddings in the request"
    wire: type[Http1 | Grpc] = Grpc

    def __init__(self, work: Workload, server: Running, its_engine: Engine) -> None:
        self.server = server
        self.address: str = json.loads(server.line)["address"]
        self.engine = its_engine
        self._work = work
        self._process = psutil.Process(server.pid)

    def store(self, number: int) -> Call:
        """Store this memory."""
        return Call(f"/{SERVICE}/Store", framed(store_request(self._work, number).SerializeToString()))

    def search(self, query: int) -> Call:
        """Search by this query within its user."""
        return Call(f"/{SERVICE}/Search", framed(search_request(self._work, query).SerializeToString()))

    def ids(self, answer: bytes) -> list[str]:
        """The memories that a search has found, best first."""
        return [hit.memory.id for one in messages(answer) for hit in pb.SearchResponse.FromString(one).hits]

    async def settle(self, expected: int) -> None:
        """A memory can be found when Store has answered."""

    async def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of the server's processes, and of its engine."""
        return family_cpu(self._process), await self.engine.cpu()


@contextlib.asynccontextmanager
async def ours(work: Workload, url: str = "", appendfsync: str = "no") -> AsyncIterator[Ours]:
    """A new server with an empty index."""
    async with engine(url, appendfsync) as its_engine:
        settings = {
            "MEMORY_LISTEN": "127.0.0.1:0",
            "MEMORY_VALKEY_URL": its_engine.url,
            "MEMORY_INDEX": INDEX,
            "MEMORY_DRAIN": "0",
        }
        with process("-m", "memory_service", "serve", ready="serving", **settings) as server:
            one = Ours(work, server, its_engine)
            async with connect(one.address) as memories:
                ensure = pb.EnsureIndexRequest(dimension=work.vectors.shape[1], embedding_model="bench")
                await memories.EnsureIndex(ensure, timeout=60)
                yield one
                await memories.DropIndex(pb.DropIndexRequest(index=INDEX, delete_memories=True), timeout=600)
