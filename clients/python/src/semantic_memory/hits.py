"""The hits of a search by the sync client."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import grpc

from semantic_memory.errors import to_error
from semantic_memory.v1 import memory_service_pb2 as pb

_ATTEMPTS = 4
_FIRST_DELAY = 0.2
"""Seconds before the second attempt, give or take a fifth. The delay doubles after each attempt."""


class Hits:
    """The hits of one search. They can be iterated once."""

    def __init__(self, open_call: Callable[[float], grpc._CallIterator[pb.SearchResponse]], timeout: float) -> None:
        """`open_call` makes the call with a timeout in seconds. The first attempt begins now."""
        self._open_call = open_call
        self._deadline = time.monotonic() + timeout
        self._call = open_call(timeout)
        self.summary: pb.SearchSummary | None = None
        """What the search did. Set after the last hit."""

    def __iter__(self) -> Iterator[pb.Hit]:
        try:
            for response in self._responses():
                if response.HasField("summary"):
                    self.summary = response.summary
                yield from response.hits
        finally:
            self._call.cancel()

    def _responses(self) -> Iterator[pb.SearchResponse]:
        """Yield the responses. A server that is unavailable before the first one is tried again.

        gRPC's own retries can leave a stream waiting beyond its deadline after the server was killed (grpc/grpc#41036).
        """
        for attempt in range(1, _ATTEMPTS + 1):
            begun = False
            try:
                for response in self._call:
                    begun = True
                    yield response
            except grpc.RpcError as error:
                delay = _FIRST_DELAY * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
                remaining = self._deadline - time.monotonic() - delay
                unavailable = self._call.code() is grpc.StatusCode.UNAVAILABLE
                if begun or not unavailable or attempt == _ATTEMPTS or remaining <= 0:
                    raise to_error(error) from error
            else:
                return
            time.sleep(delay)
            self._call = self._open_call(self._deadline - time.monotonic())
