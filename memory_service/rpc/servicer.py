"""The methods of semantic_memory.v1.MemoryService. Each parses its request, runs a use case and builds the response.

Requests arrive authorized and validated: see rpc/call_interceptor.py.
"""

from collections.abc import AsyncIterator
from contextlib import closing

from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceServicer

from memory_service.domain.deadline import remaining
from memory_service.domain.embeddings import pack_embedding
from memory_service.domain.errors import InvalidRequest, MemoryServiceError, invalid, response_too_large
from memory_service.domain.fairness import FairBudget
from memory_service.domain.indexes import Indexes
from memory_service.domain.listing import Listing
from memory_service.domain.memories import Memories
from memory_service.domain.new_memory import NewMemory
from memory_service.domain.search import Searches
from memory_service.domain.sizes import (
    BYTES_PER_MESSAGE_BYTE,
    MAX_MEMORY_BYTES,
    MAX_PAGE_BYTES,
    MEMORY_READ_BYTES,
    READ_BATCH,
    message_size,
)
from memory_service.rpc.errors import fill_batch_error
from memory_service.rpc.grpc_types import Context
from memory_service.rpc.request_parsing import (
    parse_algorithms,
    parse_filter,
    parse_layout,
    parse_new_memory,
    parse_query,
)
from memory_service.rpc.responses import fill_memory, fill_store_response, index_message
from memory_service.rpc.search_stream import search_responses
from memory_service.rpc.validation import RequestValidator

DEFAULT_PAGE_SIZE = 100
"""Memories on a page of a List that does not set `page_size`."""
_CONCURRENT_BATCHES = 16
"""BatchStores that run at the same time."""
_MAX_WAITING_BATCHES = 500
_MAX_WAIT = 5.0
"""Seconds that a call waits at most for memory for its response."""


class MemoryServicer(MemoryServiceServicer):
    """Documented in protos/semantic_memory/v1/memory_service.proto."""

    def __init__(
        self,
        *,
        memories: Memories,
        searches: Searches,
        listing: Listing,
        indexes: Indexes,
        validator: RequestValidator,
        response_memory: FairBudget,
    ) -> None:
        """`response_memory` is the memory for responses, in bytes. All calls share it."""
        self._memories = memories
        self._searches = searches
        self._listing = listing
        self._indexes = indexes
        self._validator = validator
        self._response_memory = response_memory
        self._batches = FairBudget(
            _CONCURRENT_BATCHES, capacity=_MAX_WAITING_BATCHES, what="their turn to store batches"
        )

    async def EnsureIndex(self, request: pb.EnsureIndexRequest, context: Context) -> pb.EnsureIndexResponse:
        created, info = await self._indexes.ensure(
            request.index,
            dimension=request.dimension if request.HasField("dimension") else None,
            embedding_model=request.embedding_model,
            algorithms=parse_algorithms(request),
            layout=parse_layout(request),
        )
        return pb.EnsureIndexResponse(created=created, index=index_message(info))

    async def Store(self, request: pb.StoreRequest, context: Context) -> pb.StoreResponse:
        response = pb.StoreResponse()
        fill_store_response(response, await self._memories.store(request.index, parse_new_memory(request)))
        return response

    async def BatchStore(self, request: pb.BatchStoreRequest, context: Context) -> pb.BatchStoreResponse:
        # More batches at once would only fill the embedder's queue and displace each other's texts from it.
        async with self._batches.reserve(1):
            items = [self._parse_item(item) for item in request.memories]
            valid = [item for item in items if isinstance(item, NewMemory)]
            outcomes = iter(await self._memories.store_all(request.index, valid))
        response = pb.BatchStoreResponse()
        for item in items:
            result = response.results.add()
            outcome = next(outcomes) if isinstance(item, NewMemory) else item
            if isinstance(outcome, MemoryServiceError):
                fill_batch_error(result.error, outcome)
            else:
                fill_store_response(result.stored, outcome)
        return response

    def _parse_item(self, item: pb.StoreRequest) -> NewMemory | InvalidRequest:
        """Validate and parse one memory of a batch. Return its error instead of raising it."""
        try:
            self._validator.check(item, item.SerializeToString())
            if item.index:
                raise invalid("index", "must be empty here: set index on the BatchStoreRequest", "batch_store.index")
            return parse_new_memory(item)
        except InvalidRequest as error:
            return error

    async def Search(self, request: pb.SearchRequest, context: Context) -> AsyncIterator[pb.SearchResponse]:
        summary, answer = await self._searches.search(request.index, parse_query(request))
        with closing(answer):
            async for response in search_responses(summary, answer.hits()):
                yield response

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:
        where = parse_filter(request.filter)
        size = request.page_size if request.HasField("page_size") else DEFAULT_PAGE_SIZE
        grant = await self._response_memory.acquire(
            min(size, READ_BATCH) * MEMORY_READ_BYTES + BYTES_PER_MESSAGE_BYTE * MAX_PAGE_BYTES,
            max_wait=remaining(_MAX_WAIT),
        )
        # The response takes memory until gRPC has sent it, which is after this method returns.
        context.add_done_callback(lambda _: grant.release())  # type: ignore[arg-type] # it is called with the context
        page = await self._listing.page(
            request.index,
            where,
            size=size,
            token=request.page_token,
            newest_first=request.order == pb.LIST_ORDER_NEWEST_FIRST,
            embeddings=request.include_embeddings,
        )
        response = pb.ListResponse(next_page_token=page.next_token)
        for memory in page.memories:
            fill_memory(response.memories.add(), memory)
        for message, embedding in zip(response.memories, page.embeddings, strict=False):
            message.embedding = pack_embedding(embedding)
        grant.shrink(BYTES_PER_MESSAGE_BYTE * response.ByteSize())
        return response

    async def DeleteMatching(self, request: pb.DeleteMatchingRequest, context: Context) -> pb.DeleteMatchingResponse:
        where = parse_filter(request.filter)
        count = await self._listing.delete_matching(request.index, where, dry_run=request.dry_run)
        return pb.DeleteMatchingResponse(count=count)

    async def Delete(self, request: pb.DeleteRequest, context: Context) -> pb.DeleteResponse:
        deleted, missing = await self._memories.delete(request.index, request.user_id or None, list(request.ids))
        return pb.DeleteResponse(deleted_ids=deleted, missing_ids=missing)

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        response = pb.GetResponse()
        async with self._response_memory.reserve(MEMORY_READ_BYTES, max_wait=remaining(_MAX_WAIT)):
            memory = await self._memories.get(request.index, request.user_id or None, request.id)
            if message_size(memory) > MAX_MEMORY_BYTES:
                raise response_too_large(memory.id)
            fill_memory(response.memory, memory)
            return response

    async def ListIndexes(self, request: pb.ListIndexesRequest, context: Context) -> pb.ListIndexesResponse:
        return pb.ListIndexesResponse(indexes=[index_message(info) for info in await self._indexes.list()])

    async def GetIndex(self, request: pb.GetIndexRequest, context: Context) -> pb.GetIndexResponse:
        return pb.GetIndexResponse(index=index_message(await self._indexes.describe(request.index)))

    async def DropIndex(self, request: pb.DropIndexRequest, context: Context) -> pb.DropIndexResponse:
        dropped = await self._indexes.drop(request.index, delete_memories=request.delete_memories)
        return pb.DropIndexResponse(deleted_memory_count=dropped.deleted, kept_key_count=dropped.kept)
