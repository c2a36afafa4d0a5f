"""The sync client."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

import grpc

from semantic_memory import fields as kw
from semantic_memory.connection import (
    DEFAULT_TIMEOUT,
    SYNC_OPTIONS,
    TLS,
    authorization,
    with_request_id,
    with_request_ids,
)
from semantic_memory.errors import to_error
from semantic_memory.hits import Hits
from semantic_memory.requests import to_request
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class MemoryClient:
    """Calls MemoryService. Safe for many threads.

    Each method takes the fields of its request by keyword, or the request message itself:

        client.search("When do we release?", user_id="me", k=5)
        client.search(SearchRequest(query_text="When do we release?", filter=MemoryFilter(user_id="me"), k=5))

    Every method raises MemoryServiceError when the call fails, and TypeError or ValueError for a wrong argument.
    """

    def __init__(
        self, address: str, *, tls: TLS | None = None, token: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Create a client. The first call opens the connection.

        Args:
            address: "host:port" or "dns:///host:port".
            tls: The certificates. Without them the connection is plaintext.
            token: Sent with each call as "authorization: Bearer <token>". Use TLS with it.
            timeout: The default deadline of a call, in seconds.
        """
        self.channel = (
            grpc.secure_channel(address, tls.credentials(), SYNC_OPTIONS)
            if tls
            else grpc.insecure_channel(address, SYNC_OPTIONS)
        )
        self._stub = MemoryServiceStub(self.channel)
        self._metadata = authorization(token)
        self._timeout = timeout

    @overload
    def ensure_index(self, request: pb.EnsureIndexRequest, timeout: float | None = None) -> pb.EnsureIndexResponse: ...
    @overload
    def ensure_index(
        self, index: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.EnsureIndexFields]
    ) -> pb.EnsureIndexResponse: ...
    def ensure_index(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.EnsureIndexResponse:
        """Create an index, or check that the existing one has these properties."""
        return self._call(self._stub.EnsureIndex, to_request(pb.EnsureIndexRequest, request, fields), timeout)

    @overload
    def store(self, request: pb.StoreRequest, timeout: float | None = None) -> pb.StoreResponse: ...
    @overload
    def store(
        self, content: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.StoreFields]
    ) -> pb.StoreResponse: ...
    def store(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.StoreResponse:
        """Store one memory."""
        return self._call(self._stub.Store, with_request_id(to_request(pb.StoreRequest, request, fields)), timeout)

    @overload
    def batch_store(self, request: pb.BatchStoreRequest, timeout: float | None = None) -> pb.BatchStoreResponse: ...
    @overload
    def batch_store(
        self,
        memories: Sequence[kw.StoreFields | pb.StoreRequest] = ...,
        /,
        *,
        timeout: float | None = None,
        **fields: Unpack[kw.BatchStoreFields],
    ) -> pb.BatchStoreResponse: ...
    def batch_store(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.BatchStoreResponse:
        """Store up to 100 memories; the response has a result for each."""
        return self._call(
            self._stub.BatchStore, with_request_ids(to_request(pb.BatchStoreRequest, request, fields)), timeout
        )

    @overload
    def get(self, request: pb.GetRequest, timeout: float | None = None) -> pb.GetResponse: ...
    @overload
    def get(
        self, id: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.GetFields]
    ) -> pb.GetResponse: ...
    def get(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.GetResponse:
        """Return one memory by its id."""
        return self._call(self._stub.Get, to_request(pb.GetRequest, request, fields), timeout)

    @overload
    def list(self, request: pb.ListRequest, timeout: float | None = None) -> pb.ListResponse: ...
    @overload
    def list(self, *, timeout: float | None = None, **fields: Unpack[kw.ListFields]) -> pb.ListResponse: ...
    def list(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.ListResponse:
        """Return a page of the memories that match the filter, oldest first."""
        return self._call(self._stub.List, to_request(pb.ListRequest, request, fields), timeout)

    @overload
    def delete(self, request: pb.DeleteRequest, timeout: float | None = None) -> pb.DeleteResponse: ...
    @overload
    def delete(
        self, ids: kw.OneOrMore[str] = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.DeleteFields]
    ) -> pb.DeleteResponse: ...
    def delete(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.DeleteResponse:
        """Delete memories by their ids."""
        return self._call(self._stub.Delete, to_request(pb.DeleteRequest, request, fields), timeout)

    @overload
    def delete_matching(
        self, request: pb.DeleteMatchingRequest, timeout: float | None = None
    ) -> pb.DeleteMatchingResponse: ...
    @overload
    def delete_matching(
        self, *, timeout: float | None = None, **fields: Unpack[kw.DeleteMatchingFields]
    ) -> pb.DeleteMatchingResponse: ...
    def delete_matching(
        self, request: Any = None, timeout: float | None = None, **fields: Any
    ) -> pb.DeleteMatchingResponse:
        """Delete the memories that match the filter, or count them with `dry_run`."""
        return self._call(self._stub.DeleteMatching, to_request(pb.DeleteMatchingRequest, request, fields), timeout)

    def list_indexes(
        self, request: pb.ListIndexesRequest | None = None, timeout: float | None = None
    ) -> pb.ListIndexesResponse:
        """Describe all indexes."""
        return self._call(self._stub.ListIndexes, request or pb.ListIndexesRequest(), timeout)

    @overload
    def get_index(self, request: pb.GetIndexRequest, timeout: float | None = None) -> pb.GetIndexResponse: ...
    @overload
    def get_index(
        self, index: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.GetIndexFields]
    ) -> pb.GetIndexResponse: ...
    def get_index(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.GetIndexResponse:
        """Describe one index."""
        return self._call(self._stub.GetIndex, to_request(pb.GetIndexRequest, request, fields), timeout)

    @overload
    def drop_index(self, request: pb.DropIndexRequest, timeout: float | None = None) -> pb.DropIndexResponse: ...
    @overload
    def drop_index(
        self, index: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.DropIndexFields]
    ) -> pb.DropIndexResponse: ...
    def drop_index(self, request: Any = None, timeout: float | None = None, **fields: Any) -> pb.DropIndexResponse:
        """Remove an index and, with `delete_memories`, its memories."""
        return self._call(self._stub.DropIndex, to_request(pb.DropIndexRequest, request, fields), timeout)

    @overload
    def search(self, request: pb.SearchRequest, timeout: float | None = None) -> Hits: ...
    @overload
    def search(
        self, query_text: str = ..., /, *, timeout: float | None = None, **fields: Unpack[kw.SearchFields]
    ) -> Hits: ...
    def search(self, request: Any = None, timeout: float | None = None, **fields: Any) -> Hits:
        """Return the hits, best first. Leaving the loop early ends the search on the server too."""
        message = to_request(pb.SearchRequest, request, fields)
        return Hits(
            lambda remaining: self._stub.Search(message, timeout=remaining, metadata=self._metadata),
            timeout or self._timeout,
        )

    def close(self) -> None:
        """Close the connection and cancel the calls on it."""
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
            raise to_error(error) from error


def require_sync(client: object, adapter: str) -> MemoryClient:
    """Return the client. An adapter calls it in threads, so it must be a MemoryClient.

    Raises:
        TypeError: it is another object.
    """
    if not isinstance(client, MemoryClient):
        raise TypeError(
            f"{adapter} needs a MemoryClient, not {type(client).__name__}: its async methods call the sync client in "
            "a thread"
        )
    return client
