"""The methods of semantic_memory.v1.MemoryService: from message to use case and back. Requests arrive validated."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceServicer

from memory_service.memory.indexes import Indexes
from memory_service.memory.memories import Memories
from memory_service.rpc import convert

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class MemoryServicer(MemoryServiceServicer):
    """Documented in protos/semantic_memory/v1/memory_service.proto."""

    def __init__(self, memories: Memories, indexes: Indexes) -> None:
        self._memories = memories
        self._indexes = indexes

    async def EnsureIndex(self, request: pb.EnsureIndexRequest, context: Context) -> pb.EnsureIndexResponse:
        created, info = await self._indexes.ensure(
            request.index,
            dimension=request.dimension if request.HasField("dimension") else None,
            embedding_model=request.embedding_model,
            algorithms=convert.algorithms(request),
        )
        return pb.EnsureIndexResponse(created=created, index=convert.index(info))

    async def Store(self, request: pb.StoreRequest, context: Context) -> pb.StoreResponse:
        stored = await self._memories.store(request.index, convert.new_memory(request))
        response = pb.StoreResponse(id=stored.id, already_stored=stored.already)
        convert.fill_timestamp(response.timestamp, stored.timestamp)
        return response

    async def Search(self, request: pb.SearchRequest, context: Context) -> AsyncIterator[pb.SearchResponse]:
        for response in convert.search_responses(await self._memories.search(request.index, convert.query(request))):
            yield response

    async def Delete(self, request: pb.DeleteRequest, context: Context) -> pb.DeleteResponse:
        deleted, missing = await self._memories.delete(request.index, request.user_id or None, list(request.ids))
        return pb.DeleteResponse(deleted_ids=deleted, missing_ids=missing)

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        response = pb.GetResponse()
        memory = await self._memories.get(request.index, request.user_id or None, request.id)
        convert.fill_memory(response.memory, memory)
        return response

    async def ListIndexes(self, request: pb.ListIndexesRequest, context: Context) -> pb.ListIndexesResponse:
        return pb.ListIndexesResponse(indexes=[convert.index(info) for info in await self._indexes.list()])

    async def GetIndex(self, request: pb.GetIndexRequest, context: Context) -> pb.GetIndexResponse:
        return pb.GetIndexResponse(index=convert.index(await self._indexes.describe(request.index)))
