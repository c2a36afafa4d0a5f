"""Reads and writes the versions of the LangGraph store's items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from semantic_memory._langgraph_items import Address, Version, decode, item_id
from semantic_memory.client import MemoryClient
from semantic_memory.errors import MemoryServiceError
from semantic_memory.v1.error_reason_pb2 import ERROR_REASON_MEMORY_NOT_FOUND
from semantic_memory.v1.memory_service_pb2 import StoreRequest

MAX_HITS = 1000
MAX_FILTER_LABELS = 16
_MAX_IDS = 1000

Scored = tuple[Version, float]


class Versions:
    """Reads, stores and deletes the versions of one user. Skips the memories of other software."""

    def __init__(self, client: MemoryClient, user_id: str) -> None:
        self._client = client
        self._user = user_id

    def of(self, address: Address) -> list[Version]:
        """Return the versions of an item, newest last."""
        versions = [version for version in self.all([item_id(*address)]) if version.address == address]
        return sorted(versions, key=lambda version: version.order)

    def unversioned(self, address: Address) -> Version | None:
        """Return the memory that version 0.1 of this adapter stored for an item."""
        try:
            return decode(self._client.get(item_id(*address), user_id=self._user).memory)
        except MemoryServiceError as error:
            if error.reason == ERROR_REASON_MEMORY_NOT_FOUND:
                return None
            raise

    def all(self, labels: Sequence[str]) -> Iterator[Version]:
        """Yield the versions that have all these labels, oldest first.

        A version that replaces another during the List comes after it, so each item has at least one version.
        """
        token = ""
        while True:
            page = self._client.list(
                user_id=self._user, roles="system", all_labels=labels, page_size=1000, page_token=token
            )
            yield from filter(None, map(decode, page.memories))
            token = page.next_page_token
            if not token:
                return

    def search(
        self, query: str, k: int, *, all_labels: Sequence[str] = (), any_labels: Sequence[str] = ()
    ) -> tuple[list[Scored], float | None]:
        """Return the best versions, and the score below which there may be more. It is None if these are all."""
        hits = list(
            self._client.search(
                query, user_id=self._user, roles="system", all_labels=all_labels, any_labels=any_labels, k=k
            )
        )
        scored = [(version, hit.score) for hit in hits if (version := decode(hit.memory)) is not None]
        return scored, hits[-1].score if len(hits) == k else None

    def store(self, request: StoreRequest) -> None:
        """Store a version."""
        request.user_id = self._user
        self._client.store(request)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete versions by their ids."""
        for start in range(0, len(ids), _MAX_IDS):
            self._client.delete(ids[start : start + _MAX_IDS], user_id=self._user)
