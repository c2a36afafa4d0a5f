"""A store for LangGraph: `graph.compile(store=SemanticMemoryStore(client))`.

An item is a memory of one user, whatever its namespace. Its labels are the item, the namespace and its prefixes;
its content is what is searched, and its metadata is the value, of at most 120 kB.
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

from semantic_memory._langgraph_filters import matches, passes, require_known_operators
from semantic_memory._langgraph_items import SEARCHED, Address, Version, complete, draft, item_id, prefix_labels
from semantic_memory._langgraph_versions import MOST_HITS, MOST_LABELS, Scored, Versions
from semantic_memory.client import MemoryClient, require_sync
from semantic_memory.v1.memory_service_pb2 import StoreRequest


class SemanticMemoryStore(BaseStore):
    """Items that are found by meaning. Their embeddings are the server's; a ttl is counted from put, not from reads."""

    supports_ttl = True

    def __init__(self, client: MemoryClient, *, user_id: str = "langgraph", fields: tuple[str, ...] = ("$",)) -> None:
        """`fields` are the paths in a value whose texts are searched, unless put says otherwise.

        Raises:
            TypeError: the client is not a MemoryClient.
        """
        self._versions = Versions(require_sync(client, "SemanticMemoryStore"), user_id)
        self._fields = fields
        self._may_delete = False

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out the operations in their order, once all of them are known to be valid."""
        checked = [(op, self._checked(op)) for op in ops]
        return [self._do(op, request) for op, request in checked]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same, in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _checked(self, op: Op) -> StoreRequest | None:
        """Check an operation; return what it stores."""
        validate_op_namespace(op)
        require_known_operators(op)
        return draft(op, self._fields) if isinstance(op, PutOp) and op.value is not None else None

    def _do(self, op: Op, request: StoreRequest | None) -> Result:
        if isinstance(op, GetOp):
            return self._get((op.namespace, op.key))
        if isinstance(op, SearchOp):
            return self._search_by_meaning(op) if op.query else self._search_listed(op)
        if isinstance(op, ListNamespacesOp):
            return self._list_namespaces(op)
        if request is None:
            self._delete((op.namespace, op.key))
        else:
            self._put((op.namespace, op.key), request)
        return None

    def _get(self, address: Address) -> Item | None:
        newest = self._newest(address) or self._versions.unversioned(address)
        # A put may have replaced the unversioned one between these two calls.
        newest = newest or self._newest(address)
        return Item(**newest.fields()) if newest else None

    def _newest(self, address: Address) -> Version | None:
        return next(reversed(self._versions.of(address)), None)

    def _put(self, address: Address, request: StoreRequest) -> None:
        """Store a version that is newer than all others, then delete those.

        Wherever this is interrupted, the newest version is the value. Of puts at the same time, the one that looks last
        sees the versions of all, and leaves one.
        """
        if not self._may_delete:
            # A caller without the right to delete fails here, before it stores what it could not replace.
            self._versions.delete([f"{item_id(*address)}.none"])
            self._may_delete = True
        now = time.time_ns() // 1000
        earlier = self._newest(address)
        if earlier:
            now = max(now, earlier.updated + 1)  # Another client's clock may be ahead.
        complete(request, f"{item_id(*address)}.{uuid.uuid4().hex}", earlier.created if earlier else now, now)
        self._versions.store(request)
        self._delete_older(address, self._versions.of(address))

    def _delete(self, address: Address) -> None:
        versions = self._versions.of(address)
        # The newest goes last: an interrupted delete must not bring an older one back.
        self._delete_older(address, versions)
        self._versions.delete([one.memory_id for one in versions[-1:]])

    def _delete_older(self, address: Address, versions: Sequence[Version]) -> None:
        self._versions.delete([item_id(*address), *(one.memory_id for one in versions[:-1])])

    def _search_listed(self, op: SearchOp) -> list[SearchItem]:
        newest: dict[Address, Version] = {}
        for one in self._versions.all(prefix_labels(op.namespace_prefix)):
            if one.address not in newest or newest[one.address].order < one.order:
                newest[one.address] = one
        found = sorted((one for one in newest.values() if _is_wanted(one, op)), key=lambda one: one.updated)
        return [SearchItem(**one.fields()) for one in found[op.offset : op.offset + op.limit]]

    def _search_by_meaning(self, op: SearchOp) -> list[SearchItem]:
        """Return the best items; ask for more hits while the filter and older versions leave too few."""
        k, labels = max(1, min(op.offset + op.limit, MOST_HITS)), [*prefix_labels(op.namespace_prefix), SEARCHED]
        while True:
            hits, more_below = self._versions.search(op.query or "", k, all_labels=labels)
            newest = self._replaced_by_newest(op.query or "", hits)
            found = [(one, score) for one, score in newest if _is_wanted(one, op)]
            if more_below is not None and k < MOST_HITS:
                found = [(one, score) for one, score in found if score >= more_below]
            if more_below is None or k == MOST_HITS or len(found) >= op.offset + op.limit:
                found.sort(key=lambda scored: -scored[1])
                part = found[op.offset : op.offset + op.limit]
                return [SearchItem(**one.fields(), score=score) for one, score in part]
            k = min(4 * k, MOST_HITS)

    def _replaced_by_newest(self, query: str, hits: Sequence[Scored]) -> list[Scored]:
        """Return the newest version of each item that has hits, with its own score, if queries may find it.

        A search is one moment of the engine, so an item that a put is replacing is always in it.
        """
        kept = _newest_each(hits)
        addresses = list(kept)
        for start in range(0, len(addresses), MOST_LABELS):
            group = addresses[start : start + MOST_LABELS]
            versions, _ = self._versions.search(query, MOST_HITS, any_labels=[item_id(*one) for one in group])
            now = _newest_each(versions)
            for address in group:
                if address in now:
                    kept[address] = now[address]
                elif not kept[address][0].unversioned:  # An unversioned one lacks the label of its item.
                    del kept[address]  # It was deleted since.
        return [(one, score) for one, score in kept.values() if one.searched]

    def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        namespaces = {
            namespace[: op.max_depth]
            for namespace in {one.address[0] for one in self._versions.all([])}
            if all(matches(condition, namespace) for condition in op.match_conditions or ())
        }
        return sorted(namespaces)[op.offset : op.offset + op.limit]


def _newest_each(scored: Iterable[Scored]) -> dict[Address, Scored]:
    newest: dict[Address, Scored] = {}
    for one, score in scored:
        if one.address not in newest or newest[one.address][0].order < one.order:
            newest[one.address] = one, score
    return newest


def _is_wanted(one: Version, op: SearchOp) -> bool:
    namespace, _ = one.address
    return namespace[: len(op.namespace_prefix)] == tuple(op.namespace_prefix) and passes(one.value, op.filter or {})
