"""A store for LangGraph: `graph.compile(store=SemanticMemoryStore(client))`.

An item is a memory of one user, whatever its namespace. Its id is made of namespace and key, its labels are the
namespace and all its prefixes, its content is what is searched, and its metadata is the value, of at most 120 kB.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import operator
from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import islice
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    get_text_at_path,
    validate_op_namespace,
)

from semantic_memory.client import MemoryClient
from semantic_memory.errors import MemoryServiceError
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_SYSTEM, Memory, MemoryFilter
from semantic_memory.values import from_metadata, to_metadata

_SEARCHED = "searched"
"""The label of items that a query may find: those without index=False."""
_MOST_HITS = 1000
_LONGEST_CONTENT = 50_000
_COMPARE = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


class SemanticMemoryStore(BaseStore):
    """Items that are found by meaning. Their embeddings are the server's; a ttl is counted from put, not from reads."""

    supports_ttl = True

    def __init__(self, client: MemoryClient, *, user_id: str = "langgraph", fields: tuple[str, ...] = ("$",)) -> None:
        """`fields` are the paths in a value whose texts are searched, unless put says otherwise."""
        self._client = client
        self._user = user_id
        self._fields = fields

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out the operations in their order."""
        return [self._do(op) for op in ops]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same, in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _do(self, op: Op) -> Result:
        validate_op_namespace(op)
        if isinstance(op, GetOp):
            return self._get(op)
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._list_namespaces(op)
        self._put(op)
        return None

    def _get(self, op: GetOp) -> Item | None:
        try:
            found = self._client.get(pb.GetRequest(user_id=self._user, id=_id(op.namespace, op.key)))
        except MemoryServiceError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return Item(**_fields(found.memory))

    def _put(self, op: PutOp) -> None:
        """Replace what is there. Not atomic: a reader may find nothing in between."""
        memory_id = _id(op.namespace, op.key)
        self._client.delete(pb.DeleteRequest(user_id=self._user, ids=[memory_id]))
        if op.value is None:
            return
        paths = self._fields if op.index is None else op.index or ()
        texts = [text for path in paths for text in get_text_at_path(op.value, path)]
        content = "\n".join(texts) or json.dumps(op.value)
        prefixes = [op.namespace[:depth] for depth in range(1, len(op.namespace) + 1)]
        request = pb.StoreRequest(
            user_id=self._user,
            id=memory_id,
            role=ROLE_SYSTEM,
            content=content[:_LONGEST_CONTENT],
            labels=[*map(_label, prefixes), *([_SEARCHED] if texts else [])],
            metadata=to_metadata({"namespace": op.namespace, "key": op.key, "value": op.value}),
        )
        if op.ttl is not None:
            request.ttl.CopyFrom(Duration(seconds=round(op.ttl * 60)))
        self._client.store(request)

    def _search(self, op: SearchOp) -> list[SearchItem]:
        found: Iterable[tuple[Memory, float | None]]
        if op.query:
            enough = _MOST_HITS if op.filter else min(op.limit + op.offset, _MOST_HITS)
            where = self._filter(op.namespace_prefix, _SEARCHED)
            hits = self._client.search(pb.SearchRequest(query_text=op.query, filter=where, k=enough))
            found = ((hit.memory, hit.score) for hit in hits)
        else:
            found = ((memory, None) for memory in self._all(op.namespace_prefix))
        items = (SearchItem(**_fields(memory), score=score) for memory, score in found)
        passing = (item for item in items if _passes(item.value, op.filter or {}))
        return list(islice(passing, op.offset, op.offset + op.limit))

    def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        namespaces = {
            item["namespace"][: op.max_depth]
            for item in map(_fields, self._all(()))
            if all(_matches(condition, item["namespace"]) for condition in op.match_conditions or ())
        }
        return sorted(namespaces)[op.offset : op.offset + op.limit]

    def _all(self, prefix: tuple[str, ...]) -> Iterator[Memory]:
        request = pb.ListRequest(filter=self._filter(prefix), page_size=1000)
        while True:
            page = self._client.list(request)
            yield from page.memories
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def _filter(self, prefix: tuple[str, ...], *labels: str) -> MemoryFilter:
        return MemoryFilter(user_id=self._user, all_labels=[*([_label(prefix)] if prefix else []), *labels])


def _id(namespace: tuple[str, ...], key: str) -> str:
    return hashlib.sha256(json.dumps([namespace, key]).encode()).hexdigest()


def _label(namespace: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(namespace).encode()).hexdigest()


def _fields(memory: Memory) -> dict[str, Any]:
    kept = from_metadata(memory.metadata)
    time = memory.timestamp.ToDatetime(UTC)
    return {**kept, "namespace": tuple(kept["namespace"]), "created_at": time, "updated_at": time}


def _passes(value: Any, wanted: Any) -> bool:
    """Whether a value passes a filter, as LangGraph's own stores understand it."""
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    if any(name.startswith("$") for name in wanted):
        return value is not None and all(_COMPARE[name](value, other) for name, other in wanted.items())
    return isinstance(value, dict) and all(_passes(value.get(name), other) for name, other in wanted.items())


def _matches(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", given) for wanted, given in zip(path, part, strict=True))
