"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast, overload

import grpc
import grpc.aio

from semantic_memory import fields as kw
from semantic_memory.connection import DEFAULT_TIMEOUT, OPTIONS, TLS, authorization, with_request_id, with_request_ids
from semantic_memory.errors import to_error
from semantic_memory.requests import to_request
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

if TYPE_CHECKING:
    from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncMemoryClient:
    """The same as MemoryClient, for asyncio. It belongs to the event loop in which it is created."""

    def __init__(
        self, address: str, *, tls: TLS | None = None, token: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Create a client. The arguments are those of MemoryClient.

        Raises:
            RuntimeError: no event loop is running.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise RuntimeError(
                "AsyncMemoryClient needs a running event loop: create it in a coroutine, or use MemoryClient"
            ) from error
        self.channel = (
            grpc.aio.secure_channel(address, tls.credentials(), OPTIONS)
            if tls
            else grpc.aio.insecure_channel(address, OPTIONS)
        )
        # The generated class serves both kinds of channel; only its types differ.
        self._stub = cast("MemoryServiceAsyncStub", MemoryServiceStub(self.channel))
        self._metadata = authorization(token)
        self._timeout = timeout

    @overload
    async def ensure_index(
        self, request: pb.EnsureIndexRequest, timeout: float | None = None
    ) -> pb.EnsureIndexResponse: ...
    @overload
    async def ensure_index(
        self, index: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.EnsureIndexFields]
    ) -> pb.EnsureIndexResponse: ...
    async def ensure_index(
        self, request: Any = None, timeout: float | None = None, **fields: Any
    ) -> pb.EnsureIndexResponse:
        """Create an index, or check that the existing one has these properties."""
        return await self._call(self._stub.EnsureIndex, to_request(pb.EnsureIndexRequest, request, fields), timeout)

    @overload
    async def store(self, request: pb.StoreRequest, timeout: float | None = None) -> pb.StoreResponse: ...
    @overload
    async def store(
        self, content: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.StoreFields]
    ) -> pb.StoreResponse: ...
    async def store(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.StoreResponse:
        """Store one memory."""
        return await self._call(
            self._stub.Store, with_request_id(to_request(pb.StoreRequest, request, fields)), timeout
        )

    @overload
    async def batch_store(
        self, request: pb.BatchStoreRequest, timeout: float | None = None
    ) -> pb.BatchStoreResponse: ...
    @overload
    async def batch_store(
        self,
        memories: Sequence[kw.StoreFields | pb.StoreRequest] = ...,
        /,
        *,
        timeout: float | None = None,
        **fields: Unpack[kw.BatchStoreFields],
    ) -> pb.BatchStoreResponse: ...
    async def batch_store(
        self, request: Any = None, timeout: float | None = None, **fields: Any
    ) -> pb.BatchStoreResponse:
        """Store up to 100 memories; the response has a result for each."""
        return await self._call(
            self._stub.BatchStore, with_request_ids(to_request(pb.BatchStoreRequest, request, fields)), timeout
        )

    @overload
    async def get(self, request: pb.GetRequest, timeout: float | None = None) -> pb.GetResponse: ...
    @overload
    async def get(
        self, id: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.GetFields]
    ) -> pb.GetResponse: ...
    async def get(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.GetResponse:
        """Return one memory by its id."""
        return await self._call(self._stub.Get, to_request(pb.GetRequest, request, fields), timeout)

    @overload
    async def list(self, request: pb.ListRequest, timeout: float | None = None) -> pb.ListResponse: ...
    @overload
    async def list(self, *, timeout: float | None = None, **fields: Unpack[kw.ListFields]) -> pb.ListResponse: ...
    async def list(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.ListResponse:
        """Return a page of the memories that match the filter, oldest first."""
        return await self._call(self._stub.List, to_request(pb.ListRequest, request, fields), timeout)

    @overload
    async def delete(self, request: pb.DeleteRequest, timeout: float | None = None) -> pb.DeleteResponse: ...
    @overload
    async def delete(
        self, ids: kw.OneOrMore[str] = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.DeleteFields]
    ) -> pb.DeleteResponse: ...
    async def delete(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.DeleteResponse:
        """Delete memories by their ids."""
        return await self._call(self._stub.Delete, to_request(pb.DeleteRequest, request, fields), timeout)

    @overload
    async def delete_matching(
        self, request: pb.DeleteMatchingRequest, timeout: float | None = None
    ) -> pb.DeleteMatchingResponse: ...
    @overload
    async def delete_matching(
        self, *, timeout: float | None = None, **fields: Unpack[kw.DeleteMatchingFields]
    ) -> pb.DeleteMatchingResponse: ...
    async def delete_matching(
        self, request: Any = None, timeout: float | None = None, **fields: Any
    ) -> pb.DeleteMatchingResponse:
        """Delete the memories that match the filter, or count them with `dry_run`."""
        return await self._call(
            self._stub.DeleteMatching, to_request(pb.DeleteMatchingRequest, request, fields), timeout
        )

    async def list_indexes(
        self, request: pb.ListIndexesRequest | None = None, timeout: float | None = None
    ) -> pb.ListIndexesResponse:
        """Describe all indexes."""
        return await self._call(self._stub.ListIndexes, request or pb.ListIndexesRequest(), timeout)

    @overload
    async def get_index(self, request: pb.GetIndexRequest, timeout: float | None = None) -> pb.GetIndexResponse: ...
    @overload
    async def get_index(
        self, index: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.GetIndexFields]
    ) -> pb.GetIndexResponse: ...
    async def get_index(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.GetIndexResponse:
        """Describe one index."""
        return await self._call(self._stub.GetIndex, to_request(pb.GetIndexRequest, request, fields), timeout)

    @overload
    async def drop_index(self, request: pb.DropIndexRequest, timeout: float | None = None) -> pb.DropIndexResponse: ...
    @overload
    async def drop_index(
        self, index: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.DropIndexFields]
    ) -> pb.DropIndexResponse: ...
    async def drop_index(
        self, request: Any = None, timeout: float | None = None, **fields: Any
    ) -> pb.DropIndexResponse:
        """Remove an index and, with `delete_memories`, its memories."""
        return await self._call(self._stub.DropIndex, to_request(pb.DropIndexRequest, request, fields), timeout)

    @overload
    def search(self, request: pb.SearchRequest, timeout: float | None = None) -> AsyncHits: ...
    @overload
    def search(
        self, query_text: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.SearchFields]
    ) -> AsyncHits: ...
    def search(self, request: Any = None, timeout: float | None = None, **fields: Any) -> AsyncHits:
        """Return the hits, best first. Leaving the loop early ends the search on the server too."""
        message = to_request(pb.SearchRequest, request, fields)
        return AsyncHits(self._stub.Search(message, timeout=timeout or self._timeout, metadata=self._metadata))

    async def close(self) -> None:
        """Close the connection and cancel the calls on it."""
        await self.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> Response:
        try:
            return await method(request, timeout=timeout or self._timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise to_error(error) from error


class AsyncHits:
    """The hits of one search. They can be iterated once."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[pb.SearchRequest, pb.SearchResponse]) -> None:
        self._call = call
        self.summary: pb.SearchSummary | None = None
        """What the search did. Set after the last hit."""

    async def __aiter__(self) -> AsyncIterator[pb.Hit]:
        try:
            async for response in self._call:
                if response.HasField("summary"):
                    self.summary = response.summary
                for hit in response.hits:
                    yield hit
        except grpc.aio.AioRpcError as error:
            raise to_error(error) from error
        finally:
            self._call.cancel()
