"""The LangGraph store, in a graph and compared with LangGraph's own store."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore, GetOp, PutOp
from langgraph.store.memory import InMemoryStore
from semantic_memory import MemoryClient
from semantic_memory.langgraph import SemanticMemoryStore

from memory_service.rpc.server import RpcServer


@pytest.fixture
def stores(server: RpcServer) -> Iterator[list[BaseStore]]:
    """LangGraph's own store, and ours for a new user."""
    with MemoryClient(server.address) as client:
        yield [InMemoryStore(), SemanticMemoryStore(client, user_id=f"user_{uuid.uuid4().hex}")]


def fill(store: BaseStore) -> None:
    store.put(("users", "a", "facts"), "1", {"text": "Alice likes tea", "age": 30, "deep": {"x": 1}})
    store.put(("users", "a", "facts"), "2", {"text": "Alice plays chess", "age": 40})
    store.put(("users", "b"), "1", {"text": "Bob likes coffee", "age": 50})
    store.put(("users", "b"), "1", {"text": "Bob likes beer", "age": 51})
    store.put(("docs",), "ü.1", {"text": "Ein Dokument", "none": None, "tags": ["x", {"y": 1, "z": 2}]})
    store.put(("docs",), "gone", {"text": "x"})
    store.delete(("docs",), "gone")


ANSWERS = {
    "get": lambda store: store.get(("users", "a", "facts"), "1"),
    "get of another namespace": lambda store: store.get(("users", "a"), "1"),
    "get of what was replaced": lambda store: store.get(("users", "b"), "1"),
    "get of what was deleted": lambda store: store.get(("docs",), "gone"),
    "search in a prefix": lambda store: store.search(("users", "a")),
    "search everywhere": lambda store: store.search(()),
    "search by a field": lambda store: store.search(("users",), filter={"age": 40}),
    "search by an operator": lambda store: store.search(("users",), filter={"age": {"$gt": 30, "$lte": 51}}),
    "search by what is not equal": lambda store: store.search((), filter={"age": {"$ne": 40}}),
    "search by none": lambda store: store.search((), filter={"age": {"$eq": None}}),
    "search by a list": lambda store: store.search((), filter={"tags": ("x", {"y": 1})}),
    "search by a part of a list": lambda store: store.search((), filter={"tags": ["x"]}),
    "search in depth": lambda store: store.search(("users",), filter={"deep": {"x": 1}}),
    "namespaces": lambda store: store.list_namespaces(),
    "namespaces by prefix": lambda store: store.list_namespaces(prefix=("users", "*")),
    "namespaces by suffix": lambda store: store.list_namespaces(suffix=("facts",)),
    "namespaces in short": lambda store: store.list_namespaces(max_depth=1),
    "namespaces, the second": lambda store: store.list_namespaces(limit=1, offset=1),
}


def without_times(answer: Any) -> Any:
    if isinstance(answer, list):
        return sorted(map(str, map(without_times, answer)))
    return (answer.namespace, answer.key, answer.value) if hasattr(answer, "key") else answer


@pytest.mark.parametrize("question", ANSWERS)
async def test_answers_equal_those_of_langgraphs_own_store(stores: list[BaseStore], question: str) -> None:
    def ask() -> list[Any]:
        for store in stores:
            fill(store)
        return [without_times(ANSWERS[question](store)) for store in stores]

    theirs, ours = await asyncio.to_thread(ask)
    assert ours == theirs


async def test_an_unknown_operator_is_refused_and_other_types_do_not_match(stores: list[BaseStore]) -> None:
    ours = stores[1]
    await ours.aput(("a",), "text", {"age": "old"})
    await ours.aput(("a",), "number", {"age": 50})
    assert [item.key for item in await ours.asearch(("a",), filter={"age": {"$gt": 30}})] == ["number"]
    with pytest.raises(ValueError, match=r"'\$in' is unknown"):
        await ours.asearch(("a",), filter={"age": {"$in": [50]}})


async def test_a_query_searches_by_meaning_within_a_prefix(stores: list[BaseStore]) -> None:
    ours = stores[1]
    await asyncio.to_thread(fill, ours)
    await ours.aput(("users", "a"), "hidden", {"text": "Which drink does she like? Tea."}, index=False)
    found = await ours.asearch(("users", "a"), query="Which drink does she like?", limit=1)
    assert [item.value["text"] for item in found] == ["Alice likes tea"]
    assert found[0].score is not None
    assert found[0].score > 0.1


async def test_a_long_value_is_stored_when_only_named_fields_are_indexed(stores: list[BaseStore]) -> None:
    ours, value = stores[1], {"title": "Tea", "body": "é" * 15_000}
    await ours.aput(("docs",), "1", value, index=["title"])
    item = await ours.aget(("docs",), "1")
    assert item is not None
    assert item.value == value


async def test_a_batch_runs_in_order(stores: list[BaseStore]) -> None:
    put = PutOp(("a",), "1", {"x": 1}, ttl=60)
    results = await stores[1].abatch([put, GetOp(("a",), "1")])
    assert results[0] is None
    assert without_times(results[1]) == (("a",), "1", {"x": 1})


class State(TypedDict):
    message: str
    recalled: list[str]


async def test_a_graph_remembers_across_threads(stores: list[BaseStore]) -> None:
    async def remember(state: State, *, store: BaseStore) -> dict[str, list[str]]:
        found = await store.asearch(("memories",), query=state["message"], limit=1)
        await store.aput(("memories",), uuid.uuid4().hex, {"text": state["message"]})
        return {"recalled": [item.value["text"] for item in found]}

    builder = StateGraph(State)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    builder.add_edge("remember", END)
    graph = builder.compile(store=stores[1])
    await graph.ainvoke({"message": "We ship on Fridays", "recalled": []})
    answer = await graph.ainvoke({"message": "When do we release?", "recalled": []})
    assert answer["recalled"] == ["We ship on Fridays"]
