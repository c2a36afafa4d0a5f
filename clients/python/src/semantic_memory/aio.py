"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, cast

import grpc
import grpc.aio

from semantic_memory.connection import DEFAULT_TIMEOUT, OPTIONS, TLS, authorization, repeatable, repeatable_batch
from semantic_memory.errors import decoded
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

if TYPE_CHECKING:
    from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncMemoryClient:
    """The RPCs of MemoryService. They raise MemoryServiceError. Make it where the event loop runs."""

    def __init__(
        self, address: str, *, tls: TLS | None = None, token: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """As those of MemoryClient.

        Raises:
            RuntimeError: no event loop is running.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise RuntimeError(
                "AsyncMemoryClient belongs to one event loop, and none is running here: create it in a coroutine, or "
                "use MemoryClient"
            ) from error
        self.channel = (
            grpc.aio.secure_channel(address, tls.credentials(), OPTIONS)
            if tls
            else grpc.aio.insecure_channel(address, OPTIONS)
        )
        # One class serves both kinds of channel; only its types come apart.
        self._stub = cast("MemoryServiceAsyncStub", MemoryServiceStub(self.channel))
        self._metadata = authorization(token)
        self._timeout = timeout

    async def ensure_index(
        self, request: pb.EnsureIndexRequest, timeout: float | None = None
    ) -> pb.EnsureIndexResponse:
        return await self._call(self._stub.EnsureIndex, request, timeout)

    async def store(self, request: pb.StoreRequest, timeout: float | None = None) -> pb.StoreResponse:
        return await self._call(self._stub.Store, repeatable(request), timeout)

    async def batch_store(self, request: pb.BatchStoreRequest, timeout: float | None = None) -> pb.BatchStoreResponse:
        return await self._call(self._stub.BatchStore, repeatable_batch(request), timeout)

    async def delete(self, request: pb.DeleteRequest, timeout: float | None = None) -> pb.DeleteResponse:
        return await self._call(self._stub.Delete, request, timeout)

    async def get(self, request: pb.GetRequest, timeout: float | None = None) -> pb.GetResponse:
        return await self._call(self._stub.Get, request, timeout)

    async def list(self, request: pb.ListRequest, timeout: float | None = None) -> pb.ListResponse:
        return await self._call(self._stub.List, request, timeout)

    async def delete_matching(
        self, request: pb.DeleteMatchingRequest, timeout: float | None = None
    ) -> pb.DeleteMatchingResponse:
        return await self._call(self._stub.DeleteMatching, request, timeout)

    async def list_indexes(
        self, request: pb.ListIndexesRequest, timeout: float | None = None
    ) -> pb.ListIndexesResponse:
        return await self._call(self._stub.ListIndexes, request, timeout)

    async def get_index(self, request: pb.GetIndexRequest, timeout: float | None = None) -> pb.GetIndexResponse:
        return await self._call(self._stub.GetIndex, request, timeout)

    async def drop_index(self, request: pb.DropIndexRequest, timeout: float | None = None) -> pb.DropIndexResponse:
        return await self._call(self._stub.DropIndex, request, timeout)

    def search(self, request: pb.SearchRequest, timeout: float | None = None) -> AsyncHits:
        """Hits, best first. Leaving the loop early ends the search on the server too."""
        return AsyncHits(self._stub.Search(request, timeout=timeout or self._timeout, metadata=self._metadata))

    async def close(self) -> None:
        """End the connection and the calls on it."""
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
            raise decoded(error) from error


class AsyncHits:
    """The hits of one search, to be iterated once."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[pb.SearchRequest, pb.SearchResponse]) -> None:
        self._call = call
        self.summary: pb.SearchSummary | None = None
        """What the search did; there after the last hit."""

    async def __aiter__(self) -> AsyncIterator[pb.Hit]:
        try:
            async for response in self._call:
                if response.HasField("summary"):
                    self.summary = response.summary
                for hit in response.hits:
                    yield hit
        except grpc.aio.AioRpcError as error:
            raise decoded(error) from error
        finally:
            self._call.cancel()
