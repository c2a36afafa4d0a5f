"""Items of the LangGraph store as memories.

The contract has no Update, so a put stores a new version of the item beside the earlier ones and then deletes those.
The newest version is the value of the item; older ones are what a put has yet to delete, or failed to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from langgraph.store.base import PutOp, get_text_at_path

from semantic_memory.v1.memory_pb2 import ROLE_SYSTEM, Memory
from semantic_memory.v1.memory_service_pb2 import StoreRequest
from semantic_memory.values import from_metadata, require_text, to_metadata

SEARCHED = "searched"
"""The label of versions that a query may find: those without index=False."""
_CREATED = "created_us"
_DEEPEST_LABEL = 14
"""Prefixes of a namespace that are labels: a memory has 16, and two say other things."""
_LONGEST_CONTENT = 50_000
_LONGEST_TTL = 100 * 365 * 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Address = tuple[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an item. Times are in microseconds since 1970."""

    memory_id: str
    address: Address
    value: dict[str, Any]
    created: int
    updated: int
    searched: bool

    @property
    def unversioned(self) -> bool:
        """Whether version 0.1 of this adapter, in development, wrote it: an item was one memory then."""
        return self.memory_id == item_id(*self.address)

    @property
    def order(self) -> tuple[bool, int, str]:
        """What the newest version of an item has most of."""
        return (not self.unversioned, self.updated, self.memory_id)

    def fields(self) -> dict[str, Any]:
        """The arguments of LangGraph's Item."""
        namespace, key = self.address
        created, updated = (_EPOCH + timedelta(microseconds=time) for time in (self.created, self.updated))
        return {
            "namespace": namespace,
            "key": key,
            "value": self.value,
            "created_at": created,
            "updated_at": updated,
        }


def item_id(namespace: Sequence[str], key: str) -> str:
    """The label of all versions of an item, and the beginning of their ids."""
    return hashlib.sha256(json.dumps([namespace, key]).encode()).hexdigest()


def prefix_labels(prefix: Sequence[str]) -> list[str]:
    """The label of what lies below a prefix. Where prefixes are too deep for labels, their beginning has one."""
    return [_label(prefix[:_DEEPEST_LABEL])] if prefix else []


def _label(namespace: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(namespace).encode()).hexdigest()


def draft(op: PutOp, fields: Sequence[str]) -> StoreRequest:
    """Return the version that a put stores, without its id and times.

    Raises:
        TypeError, ValueError: the value or the ttl breaks a rule of the contract.
    """
    value = dict(op.value or {})
    metadata = to_metadata({"namespace": op.namespace, "key": op.key, "value": value})
    paths = fields if op.index is None else op.index or ()
    texts = [text for path in paths for text in get_text_at_path(value, path) if text.strip()]
    content = ("\n".join(texts) or json.dumps(value))[:_LONGEST_CONTENT]
    require_text("the text of the value", content)
    depths = range(1, min(len(op.namespace), _DEEPEST_LABEL) + 1)
    request = StoreRequest(
        role=ROLE_SYSTEM,
        content=content,
        labels=[
            item_id(op.namespace, op.key),
            *(_label(op.namespace[:depth]) for depth in depths),
            *([SEARCHED] if texts else []),
        ],
        metadata=metadata,
    )
    if op.ttl is not None:
        if not 0.5 <= op.ttl * 60 <= _LONGEST_TTL:
            raise ValueError(f"ttl is {op.ttl} minutes: it must be a second to 100 years, in whole seconds")
        request.ttl.seconds = round(op.ttl * 60)
    return request


def complete(request: StoreRequest, memory_id: str, created: int, updated: int) -> None:
    """Add to a draft what says which version it is."""
    request.id = memory_id
    request.timestamp.FromMicroseconds(updated)
    request.metadata[_CREATED] = str(created)


def decode(memory: Memory) -> Version | None:
    """Return the version that a memory is, or None for a memory of other software."""
    kept = from_metadata(memory.metadata)
    if not isinstance(kept, dict) or kept.keys() != {"namespace", "key", "value"}:
        return None
    namespace, key, value = kept["namespace"], kept["key"], kept["value"]
    if not (
        isinstance(namespace, list)
        and all(isinstance(label, str) for label in namespace)
        and isinstance(key, str)
        and isinstance(value, dict)
        # Other software cannot have this id by accident.
        and memory.id.partition(".")[0] == item_id(namespace, key)
    ):
        return None
    updated = memory.timestamp.ToMicroseconds()
    created = memory.metadata.get(_CREATED, "")
    return Version(
        memory_id=memory.id,
        address=(tuple(namespace), key),
        value=value,
        created=min(int(created), updated) if re.fullmatch("[0-9]{1,18}", created) else updated,
        updated=updated,
        searched=SEARCHED in memory.labels,
    )
