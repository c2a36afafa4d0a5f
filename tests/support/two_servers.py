"""Two servers on one engine, and indexes that each of them can create, fill and drop."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
from semantic_memory.connection import OPTIONS, TLS
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.schema import key_prefix
from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding, stub_for
from tests.support.credentials import error_reason


@dataclass(frozen=True)
class IndexSpec:
    """The dimension, model and layout of an index, and requests for it."""

    dimension: int
    model: str
    layout: index_pb2.Layout

    def ensure(self, index: str) -> pb.EnsureIndexRequest:
        return pb.EnsureIndexRequest(
            index=index, dimension=self.dimension, embedding_model=self.model, layout=self.layout
        )

    def store(self, index: str, user: str, id_: str, content: str = "c") -> pb.StoreRequest:
        return pb.StoreRequest(
            index=index,
            user_id=user,
            role=memory_pb2.ROLE_USER,
            id=id_,
            content=content,
            embedding=packed_embedding(1.0, dimension=self.dimension),
            embedding_model=self.model,
        )

    def search(self, index: str, user: str) -> pb.SearchRequest:
        return pb.SearchRequest(
            index=index,
            query_embedding=packed_embedding(1.0, dimension=self.dimension),
            embedding_model=self.model,
            filter=memory_pb2.MemoryFilter(user_id=user),
            k=1000,
        )


INDEX_SPECS = [
    IndexSpec(3, "one", index_pb2.LAYOUT_JSON),
    IndexSpec(5, "one", index_pb2.LAYOUT_JSON),
    IndexSpec(3, "other", index_pb2.LAYOUT_JSON),
    IndexSpec(3, "one", index_pb2.LAYOUT_HASH),
]


@asynccontextmanager
async def two_servers(settings: Settings, **changes: object) -> AsyncIterator[tuple[Stub, Stub]]:
    """Run two servers; yield a stub of each."""
    async with AsyncExitStack() as stack:
        stubs = []
        for _ in range(2):
            server = await stack.enter_async_context(run_server(settings.model_copy(update=changes)))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
            stubs.append(stub_for(channel))
        yield stubs[0], stubs[1]


@asynccontextmanager
async def connect_to(addresses: list[str]) -> AsyncIterator[tuple[Stub, Stub]]:
    """Connect to two servers that run elsewhere, or twice to several servers behind one name.

    MEMORY_TEST_CA is the file of their authority, MEMORY_TEST_TOKEN a key with every right.
    """
    credentials = grpc.composite_channel_credentials(
        TLS(os.environ["MEMORY_TEST_CA"]).credentials(),
        grpc.access_token_call_credentials(os.environ["MEMORY_TEST_TOKEN"]),
    )
    async with AsyncExitStack() as stack:
        one, other = [
            stub_for(await stack.enter_async_context(grpc.aio.secure_channel(address, credentials, options=OPTIONS)))
            for address in addresses
        ]
        yield one, other


async def outcome(call: object) -> str:
    """Return OK, or the status and reason of a failed call."""
    try:
        await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name} {error_reason(error)}"
    return "OK"


async def drop_index(stub: Stub, index: str) -> pb.DropIndexResponse:
    return await stub.DropIndex(pb.DropIndexRequest(index=index, delete_memories=True), timeout=TIMEOUT)


NO_INDEX = "NOT_FOUND INDEX_NOT_FOUND"


USER = "u"


async def keys(engine: Connections, index: str) -> set[str]:
    return {key.decode() async for lot in engine.scan(f"{key_prefix(index)}*") for key in lot}


async def ids(stub: Stub, index: str) -> list[str]:
    return [one.id for one in await list_all(stub, memory_pb2.MemoryFilter(user_id=USER), index=index)]
