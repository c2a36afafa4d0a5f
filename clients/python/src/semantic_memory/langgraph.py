"""A store for LangGraph: `graph.compile(store=SemanticMemoryStore(client))`.

All items of a store are memories of one user. The labels of a memory are those of its item, of the namespace and of the
namespace's prefixes. The content is the text that queries search. The metadata is the value, of at most 120 kB.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    validate_op_namespace,
)

from semantic_memory._langgraph_filters import matches_filter, matches_namespace, require_known_operators
from semantic_memory._langgraph_items import SEARCHABLE, Address, Version, complete, draft, item_id, prefix_labels
from semantic_memory._langgraph_versions import MAX_FILTER_LABELS, MAX_HITS, Scored, Versions
from semantic_memory.client import MemoryClient, require_sync
from semantic_memory.v1.memory_service_pb2 import StoreRequest


class SemanticMemoryStore(BaseStore):
    """A store whose queries search by meaning. The server creates the embeddings. A ttl starts at put, not at reads."""

    supports_ttl = True

    def __init__(self, client: MemoryClient, *, user_id: str = "langgraph", fields: tuple[str, ...] = ("$",)) -> None:
        """Create a store.

        Args:
            client: It is called in threads by the async methods.
            user_id: The user whose memories the items are.
            fields: The paths in a value whose texts are searched. A put can name others.

        Raises:
            TypeError: the client is not a MemoryClient.
        """
        self._versions = Versions(require_sync(client, "SemanticMemoryStore"), user_id)
        self._fields = fields
        self._may_delete = False

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Validate all operations, then carry them out in their order."""
        validated = [(op, self._validate(op)) for op in ops]
        return [self._execute(op, request) for op, request in validated]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run `batch` in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _validate(self, op: Op) -> StoreRequest | None:
        """Raise for an operation that is not valid. Returns what a put stores."""
        validate_op_namespace(op)
        require_known_operators(op)
        return draft(op, self._fields) if isinstance(op, PutOp) and op.value is not None else None

    def _execute(self, op: Op, request: StoreRequest | None) -> Result:
        if isinstance(op, GetOp):
            return self._get((op.namespace, op.key))
        if isinstance(op, SearchOp):
            return self._search_by_meaning(op) if op.query else self._search_by_filter(op)
        if isinstance(op, ListNamespacesOp):
            return self._list_namespaces(op)
        if request is None:
            self._delete((op.namespace, op.key))
        else:
            self._put((op.namespace, op.key), request)
        return None

    def _get(self, address: Address) -> Item | None:
        newest = self._newest(address) or self._versions.unversioned(address)
        # A put may have replaced the unversioned memory between these two calls.
        newest = newest or self._newest(address)
        return Item(**newest.fields()) if newest else None

    def _newest(self, address: Address) -> Version | None:
        return next(reversed(self._versions.of(address)), None)

    def _put(self, address: Address, request: StoreRequest) -> None:
        """Store a version that is newer than all others, then delete the older versions.

        If this is interrupted, the newest version is still the value. Of concurrent puts, the one that lists the
        versions last sees all of them and deletes all but the newest.
        """
        if not self._may_delete:
            # A caller without the right to delete fails here, before it stores a version that it cannot replace.
            self._versions.delete([f"{item_id(*address)}.none"])
            self._may_delete = True
        now = time.time_ns() // 1000
        previous = self._newest(address)
        if previous:
            now = max(now, previous.updated + 1)  # The clock of another client may be ahead.
        complete(request, f"{item_id(*address)}.{uuid.uuid4().hex}", previous.created if previous else now, now)
        self._versions.store(request)
        self._delete_older(address, self._versions.of(address))

    def _delete(self, address: Address) -> None:
        versions = self._versions.of(address)
        # The newest is deleted last: after an interruption no older version may become the value.
        self._delete_older(address, versions)
        self._versions.delete([version.memory_id for version in versions[-1:]])

    def _delete_older(self, address: Address, versions: Sequence[Version]) -> None:
        self._versions.delete([item_id(*address), *(version.memory_id for version in versions[:-1])])

    def _search_by_filter(self, op: SearchOp) -> list[SearchItem]:
        newest: dict[Address, Version] = {}
        for version in self._versions.all(prefix_labels(op.namespace_prefix)):
            if version.address not in newest or newest[version.address].order < version.order:
                newest[version.address] = version
        matching = sorted(
            (version for version in newest.values() if _matches(version, op)), key=lambda version: version.updated
        )
        return [SearchItem(**version.fields()) for version in matching[op.offset : op.offset + op.limit]]

    def _search_by_meaning(self, op: SearchOp) -> list[SearchItem]:
        """Return the best items. Request more hits while the filter and older versions leave too few."""
        k, labels = max(1, min(op.offset + op.limit, MAX_HITS)), [*prefix_labels(op.namespace_prefix), SEARCHABLE]
        while True:
            hits, more_below = self._versions.search(op.query or "", k, all_labels=labels)
            newest = self._newest_of_hits(op.query or "", hits)
            matching = [(version, score) for version, score in newest if _matches(version, op)]
            if more_below is not None and k < MAX_HITS:
                matching = [(version, score) for version, score in matching if score >= more_below]
            if more_below is None or k == MAX_HITS or len(matching) >= op.offset + op.limit:
                matching.sort(key=lambda scored: -scored[1])
                page = matching[op.offset : op.offset + op.limit]
                return [SearchItem(**version.fields(), score=score) for version, score in page]
            k = min(4 * k, MAX_HITS)

    def _newest_of_hits(self, query: str, hits: Sequence[Scored]) -> list[Scored]:
        """Return the newest version of each item among the hits, with its own score, if it is searchable.

        A search sees one state of the engine, so it always contains an item that a put is replacing.
        """
        newest = _newest_by_item(hits)
        addresses = list(newest)
        for start in range(0, len(addresses), MAX_FILTER_LABELS):
            group = addresses[start : start + MAX_FILTER_LABELS]
            versions, _ = self._versions.search(query, MAX_HITS, any_labels=[item_id(*address) for address in group])
            current = _newest_by_item(versions)
            for address in group:
                if address in current:
                    newest[address] = current[address]
                elif not newest[address][0].unversioned:  # An unversioned memory lacks the label of its item.
                    del newest[address]  # It was deleted after the first search.
        return [(version, score) for version, score in newest.values() if version.searchable]

    def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        namespaces = {
            namespace[: op.max_depth]
            for namespace in {version.address[0] for version in self._versions.all([])}
            if all(matches_namespace(condition, namespace) for condition in op.match_conditions or ())
        }
        return sorted(namespaces)[op.offset : op.offset + op.limit]


def _newest_by_item(scored: Iterable[Scored]) -> dict[Address, Scored]:
    newest: dict[Address, Scored] = {}
    for version, score in scored:
        if version.address not in newest or newest[version.address][0].order < version.order:
            newest[version.address] = version, score
    return newest


def _matches(version: Version, op: SearchOp) -> bool:
    namespace, _ = version.address
    in_namespace = namespace[: len(op.namespace_prefix)] == tuple(op.namespace_prefix)
    return in_namespace and matches_filter(version.value, op.filter or {})
