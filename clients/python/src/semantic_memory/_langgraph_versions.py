"""The versions of the LangGraph store's items on the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from semantic_memory._langgraph_items import Address, Version, decode, item_id
from semantic_memory.client import MemoryClient
from semantic_memory.errors import MemoryServiceError
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.error_reason_pb2 import ERROR_REASON_MEMORY_NOT_FOUND
from semantic_memory.v1.memory_pb2 import ROLE_SYSTEM, MemoryFilter

MOST_HITS = 1000
MOST_LABELS = 16
"""Labels that a filter may have."""
_MOST_IDS = 1000

Scored = tuple[Version, float]


class Versions:
    """Reads, stores and deletes versions. Memories of other software are skipped."""

    def __init__(self, client: MemoryClient, user_id: str) -> None:
        self._client = client
        self._user = user_id

    def of(self, address: Address) -> list[Version]:
        """Return the versions of an item, newest last."""
        found = [one for one in self.all([item_id(*address)]) if one.address == address]
        return sorted(found, key=lambda one: one.order)

    def unversioned(self, address: Address) -> Version | None:
        """Return the memory that an earlier release of this adapter stored for an item."""
        try:
            return decode(self._client.get(pb.GetRequest(user_id=self._user, id=item_id(*address))).memory)
        except MemoryServiceError as error:
            if error.reason == ERROR_REASON_MEMORY_NOT_FOUND:
                return None
            raise

    def all(self, labels: Sequence[str]) -> Iterator[Version]:
        """List the versions that have all these labels, oldest first: a version that replaces another during the List
        comes after it, so that each item has one in the answer."""
        request = pb.ListRequest(filter=self._filter(all_labels=labels), page_size=1000)
        while True:
            page = self._client.list(request)
            yield from filter(None, map(decode, page.memories))
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def search(
        self, query: str, k: int, *, all_labels: Sequence[str] = (), any_labels: Sequence[str] = ()
    ) -> tuple[list[Scored], float | None]:
        """Return the best versions, and the score below which there may be more; None where these are all."""
        where = self._filter(all_labels=all_labels, any_labels=any_labels)
        hits = list(self._client.search(pb.SearchRequest(query_text=query, filter=where, k=k)))
        scored = [(one, hit.score) for hit in hits if (one := decode(hit.memory)) is not None]
        return scored, hits[-1].score if len(hits) == k else None

    def store(self, request: pb.StoreRequest) -> None:
        """Store a version."""
        request.user_id = self._user
        self._client.store(request)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete versions by their ids."""
        for start in range(0, len(ids), _MOST_IDS):
            self._client.delete(pb.DeleteRequest(user_id=self._user, ids=ids[start : start + _MOST_IDS]))

    def _filter(self, *, all_labels: Sequence[str] = (), any_labels: Sequence[str] = ()) -> MemoryFilter:
        return MemoryFilter(user_id=self._user, roles=[ROLE_SYSTEM], all_labels=all_labels, any_labels=any_labels)
