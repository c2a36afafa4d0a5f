"""The sync client."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

import grpc

from semantic_memory.connection import DEFAULT_TIMEOUT, OPTIONS, TLS, authorization, repeatable, repeatable_batch
from semantic_memory.errors import decoded
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class MemoryClient:
    """The RPCs of MemoryService. They raise MemoryServiceError. Safe for many threads."""

    def __init__(
        self, address: str, *, tls: TLS | None = None, token: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """The first call makes the connection.

        Args:
            address: "host:port" or "dns:///host:port".
            tls: Plaintext unless given.
            token: Sent with each call as "authorization: Bearer <token>". Use TLS with it.
            timeout: Seconds, for calls that give none.
        """
        self.channel = (
            grpc.secure_channel(address, tls.credentials(), OPTIONS) if tls else grpc.insecure_channel(address, OPTIONS)
        )
        self._stub = MemoryServiceStub(self.channel)
        self._metadata = authorization(token)
        self._timeout = timeout

    def ensure_index(self, request: pb.EnsureIndexRequest, timeout: float | None = None) -> pb.EnsureIndexResponse:
        return self._call(self._stub.EnsureIndex, request, timeout)

    def store(self, request: pb.StoreRequest, timeout: float | None = None) -> pb.StoreResponse:
        return self._call(self._stub.Store, repeatable(request), timeout)

    def batch_store(self, request: pb.BatchStoreRequest, timeout: float | None = None) -> pb.BatchStoreResponse:
        return self._call(self._stub.BatchStore, repeatable_batch(request), timeout)

    def delete(self, request: pb.DeleteRequest, timeout: float | None = None) -> pb.DeleteResponse:
        return self._call(self._stub.Delete, request, timeout)

    def get(self, request: pb.GetRequest, timeout: float | None = None) -> pb.GetResponse:
        return self._call(self._stub.Get, request, timeout)

    def list(self, request: pb.ListRequest, timeout: float | None = None) -> pb.ListResponse:
        return self._call(self._stub.List, request, timeout)

    def delete_matching(
        self, request: pb.DeleteMatchingRequest, timeout: float | None = None
    ) -> pb.DeleteMatchingResponse:
        return self._call(self._stub.DeleteMatching, request, timeout)

    def list_indexes(self, request: pb.ListIndexesRequest, timeout: float | None = None) -> pb.ListIndexesResponse:
        return self._call(self._stub.ListIndexes, request, timeout)

    def get_index(self, request: pb.GetIndexRequest, timeout: float | None = None) -> pb.GetIndexResponse:
        return self._call(self._stub.GetIndex, request, timeout)

    def drop_index(self, request: pb.DropIndexRequest, timeout: float | None = None) -> pb.DropIndexResponse:
        return self._call(self._stub.DropIndex, request, timeout)

    def search(self, request: pb.SearchRequest, timeout: float | None = None) -> Hits:
        """Hits, best first. Leaving the loop early ends the search on the server too."""
        return Hits(self._stub.Search(request, timeout=timeout or self._timeout, metadata=self._metadata))

    def close(self) -> None:
        """End the connection and the calls on it."""
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> Response:
        try:
            return method(request, timeout=timeout or self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise decoded(error) from error


def require_sync(client: object, adapter: str) -> MemoryClient:
    """Return the client of an adapter that calls it in threads.

    Raises TypeError unless it is a MemoryClient.
    """
    if not isinstance(client, MemoryClient):
        raise TypeError(
            f"{adapter} needs a MemoryClient, not {type(client).__name__}: its async methods call the sync client in a "
            "thread"
        )
    return client


class Hits:
    """The hits of one search, to be iterated once."""

    def __init__(self, call: grpc._CallIterator[pb.SearchResponse]) -> None:
        self._call = call
        self.summary: pb.SearchSummary | None = None
        """What the search did; there after the last hit."""

    def __iter__(self) -> Iterator[pb.Hit]:
        try:
            for response in self._call:
                if response.HasField("summary"):
                    self.summary = response.summary
                yield from response.hits
        except grpc.RpcError as error:
            raise decoded(error) from error
        finally:
            self._call.cancel()
