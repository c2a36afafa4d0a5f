"""Items of the LangGraph store, and every way to read them."""

from typing import Any

from semantic_memory import MemoryClient
from semantic_memory.langgraph import SemanticMemoryStore
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import filter_for_user

NAMESPACE = ("users", "alice")
OLD, NEW = {"text": "Alice likes tea"}, {"text": "Alice likes coffee"}


def memory_count(client: MemoryClient, user: str) -> int:
    return len(client.list(pb.ListRequest(filter=filter_for_user(user), page_size=1000)).memories)


def read_values(store: SemanticMemoryStore, key: str = "k") -> list[Any]:
    """Return the value of a key by get, list and search; assert that each returns it at most once."""
    got = store.get(NAMESPACE, key)
    listed: list[Any] = [item.value for item in store.search(NAMESPACE) if item.key == key]
    ranked: list[Any] = [
        item.value for item in store.search(NAMESPACE, query="What does Alice like?") if item.key == key
    ]
    assert len(listed) <= 1
    assert len(ranked) <= 1
    return [got and got.value, *(listed or [None]), *(ranked or [None])]
