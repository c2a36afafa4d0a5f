"""Versions of items in the LangGraph store: items without a version, their times, and deep namespaces."""

import hashlib
import json
import time

import pytest
from semantic_memory import MemoryClient
from semantic_memory.langgraph import SemanticMemoryStore
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_SYSTEM

from tests.support.api import filter_for_user
from tests.support.langgraph_items import NAMESPACE, NEW, OLD, memory_count, read_values


@pytest.fixture
def store(client: MemoryClient, user: str) -> SemanticMemoryStore:
    return SemanticMemoryStore(client, user_id=user)


def put_without_version(client: MemoryClient, user: str, key: str, value: dict[str, str]) -> None:
    """Store an item as the adapter did before it had versions."""
    labels = [hashlib.sha256(json.dumps(NAMESPACE[:depth]).encode()).hexdigest() for depth in (1, 2)]
    client.store(
        pb.StoreRequest(
            user_id=user,
            id=hashlib.sha256(json.dumps([NAMESPACE, key]).encode()).hexdigest(),
            role=ROLE_SYSTEM,
            content=json.dumps(value),
            labels=[*labels, "searched"],
            metadata={"json.00": json.dumps({"namespace": NAMESPACE, "key": key, "value": value})},
        )
    )


def test_items_without_a_version_are_found_replaced_and_deleted(
    client: MemoryClient, store: SemanticMemoryStore, user: str
) -> None:
    for key in ("k", "other"):
        put_without_version(client, user, key, OLD)
    assert read_values(store) == [OLD] * 3
    assert store.list_namespaces() == [NAMESPACE]
    store.put(NAMESPACE, "k", NEW)
    assert read_values(store) == [NEW] * 3
    assert memory_count(client, user) == 2
    put_without_version(client, user, "k", OLD)  # as after a put that was interrupted before it deleted the old item
    assert read_values(store) == [NEW] * 3
    for key in ("k", "other"):
        store.delete(NAMESPACE, key)
        assert read_values(store, key) == [None] * 3
    assert memory_count(client, user) == 0


def test_a_put_resets_the_ttl(client: MemoryClient, store: SemanticMemoryStore, user: str) -> None:
    def expiry() -> float | None:
        [memory] = client.list(pb.ListRequest(filter=filter_for_user(user))).memories
        return memory.expire_time.seconds if memory.HasField("expire_time") else None

    store.put(NAMESPACE, "k", OLD, ttl=1)
    first = expiry()
    store.put(NAMESPACE, "k", OLD, ttl=60)
    second = expiry()
    assert first
    assert second
    assert second >= first + 59 * 60
    store.put(NAMESPACE, "k", OLD)
    assert expiry() is None
    store.put(NAMESPACE, "k", OLD, ttl=1 / 60)
    time.sleep(1.1)
    assert read_values(store) == [None] * 3


def test_an_update_keeps_the_creation_time(store: SemanticMemoryStore) -> None:
    times = []
    for value in (OLD, NEW, OLD):
        store.put(NAMESPACE, "k", value)
        item = store.get(NAMESPACE, "k")
        assert item is not None
        times.append((item.created_at, item.updated_at))
    assert len({created for created, _ in times}) == 1
    assert times[0][0] == times[0][1] < times[1][1] < times[2][1]


def test_a_put_replaces_one_whose_clock_was_ahead(
    client: MemoryClient, store: SemanticMemoryStore, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        tomorrow = time.time_ns() + 24 * 3600 * 10**9
        ahead.setattr("semantic_memory.langgraph.time.time_ns", lambda: tomorrow)
        store.put(NAMESPACE, "k", OLD)
    SemanticMemoryStore(client, user_id=user).put(NAMESPACE, "k", NEW)
    assert read_values(store) == [NEW] * 3


def test_namespaces_can_be_deeper_than_the_label_limit(store: SemanticMemoryStore) -> None:
    deep = tuple(f"level{number}" for number in range(40))
    store.put(deep, "k", OLD)
    store.put((*deep[:-1], "other"), "k", NEW)
    for query in (None, "What does Alice like?"):
        assert [item.value for item in store.search(deep, query=query)] == [OLD]
        assert len(store.search(deep[:20], query=query)) == 2
    assert [item.value for item in store.search(deep[:-1], query="coffee", limit=1)] == [NEW]
    store.put(deep, "k", NEW)
    assert [item.value for item in store.search(deep, query="tea")] == [NEW]
