"""Items of the LangGraph store as memories.

The service has no Update. A put stores a new version of the item and then deletes the older versions. The newest
version is the value of the item. An older version remains while a put is in progress, or after a put that failed.
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

from semantic_memory._metadata import from_metadata, require_text, to_metadata
from semantic_memory.v1.memory_pb2 import ROLE_SYSTEM, Memory
from semantic_memory.v1.memory_service_pb2 import StoreRequest

SEARCHABLE = "searched"
"""The label of versions that a query can return: all but those with index=False."""
_CREATED = "created_us"
_MAX_PREFIX_LABELS = 14
"""A memory has 16 labels. One is that of the item, one is SEARCHABLE."""
_MAX_CONTENT = 50_000
_MAX_TTL_SECONDS = 100 * 365 * 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Address = tuple[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an item. Times are microseconds since 1970."""

    memory_id: str
    address: Address
    value: dict[str, Any]
    created: int
    updated: int
    searchable: bool

    @property
    def unversioned(self) -> bool:
        """Whether a development version 0.1 of this adapter wrote it. There an item was one memory."""
        return self.memory_id == item_id(*self.address)

    @property
    def order(self) -> tuple[bool, int, str]:
        """The sort key: the newest version of an item has the highest."""
        return (not self.unversioned, self.updated, self.memory_id)

    def fields(self) -> dict[str, Any]:
        """Return the arguments of LangGraph's Item."""
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
    """Return the label of all versions of an item. Their ids start with it."""
    return hashlib.sha256(json.dumps([namespace, key]).encode()).hexdigest()


def prefix_labels(prefix: Sequence[str]) -> list[str]:
    """Return the label of the items below a prefix. A deep prefix has the label of its first 14 parts."""
    return [_label(prefix[:_MAX_PREFIX_LABELS])] if prefix else []


def _label(namespace: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(namespace).encode()).hexdigest()


def draft(op: PutOp, fields: Sequence[str]) -> StoreRequest:
    """Return the version that a put stores, without its id and times.

    Raises:
        TypeError, ValueError: the value or the ttl is not valid.
    """
    value = dict(op.value or {})
    metadata = to_metadata({"namespace": op.namespace, "key": op.key, "value": value})
    paths = fields if op.index is None else op.index or ()
    texts = [text for path in paths for text in get_text_at_path(value, path) if text.strip()]
    content = ("\n".join(texts) or json.dumps(value))[:_MAX_CONTENT]
    require_text("the text of the value", content)
    depths = range(1, min(len(op.namespace), _MAX_PREFIX_LABELS) + 1)
    request = StoreRequest(
        role=ROLE_SYSTEM,
        content=content,
        labels=[
            item_id(op.namespace, op.key),
            *(_label(op.namespace[:depth]) for depth in depths),
            *([SEARCHABLE] if texts else []),
        ],
        metadata=metadata,
    )
    if op.ttl is not None:
        if not 0.5 <= op.ttl * 60 <= _MAX_TTL_SECONDS:
            raise ValueError(f"ttl is {op.ttl} minutes: it must be between 1 second and 100 years")
        request.ttl.seconds = round(op.ttl * 60)
    return request


def complete(request: StoreRequest, memory_id: str, created: int, updated: int) -> None:
    """Add the id and the times to a draft."""
    request.id = memory_id
    request.timestamp.FromMicroseconds(updated)
    request.metadata[_CREATED] = str(created)


def decode(memory: Memory) -> Version | None:
    """Return the version in a memory, or None for a memory of other software."""
    document = from_metadata(memory.metadata)
    if not isinstance(document, dict) or document.keys() != {"namespace", "key", "value"}:
        return None
    namespace, key, value = document["namespace"], document["key"], document["value"]
    if not (
        isinstance(namespace, list)
        and all(isinstance(label, str) for label in namespace)
        and isinstance(key, str)
        and isinstance(value, dict)
        # Memories of other software do not have such an id.
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
        searchable=SEARCHABLE in memory.labels,
    )
