"""Puts of the LangGraph store: refused ones change nothing, and concurrent ones leave one value."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp, Result
from semantic_memory import MemoryClient, MemoryServiceError
from semantic_memory.langgraph import SemanticMemoryStore

from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.credentials import api_key, server_with_auth
from tests.support.langgraph_items import NAMESPACE, NEW, OLD, memory_count, read_values
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def store(client: MemoryClient, user: str) -> SemanticMemoryStore:
    return SemanticMemoryStore(client, user_id=user)


CIRCULAR: dict[str, Any] = {}
CIRCULAR["self"] = CIRCULAR
REFUSED: dict[str, tuple[Any, dict[str, Any]]] = {
    "too large": ({"text": "x" * 200_000}, {}),
    "not JSON": ({"text": object()}, {}),
    "no JSON time": ({"text": datetime.now(UTC)}, {}),
    "no JSON key": ({("a",): 1}, {}),
    "circular": (CIRCULAR, {}),
    "ttl too short": (NEW, {"ttl": 0.001}),
    "negative ttl": (NEW, {"ttl": -1}),
    "ttl too long": (NEW, {"ttl": 1e9}),
    "ttl not a number": (NEW, {"ttl": float("nan")}),
    "lone surrogate": ({"text": "a\ud83d"}, {}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_put_changes_neither_the_item_nor_its_batch(store: SemanticMemoryStore, reason: str) -> None:
    value, options = REFUSED[reason]
    store.put(NAMESPACE, "k", OLD)
    with pytest.raises((TypeError, ValueError)):
        store.put(NAMESPACE, "k", value, **options)
    with pytest.raises((TypeError, ValueError)):
        store.batch([PutOp(NAMESPACE, "other", NEW), PutOp(NAMESPACE, "k", value, **options)])
    assert read_values(store) == [OLD] * 3
    assert store.get(NAMESPACE, "other") is None


def test_a_put_refused_by_the_server_keeps_the_item(client: MemoryClient, user: str) -> None:
    store = SemanticMemoryStore(client, user_id=user)
    store.put(NAMESPACE, "k", OLD)
    with pytest.raises(MemoryServiceError, match="user_id"):
        SemanticMemoryStore(client, user_id="u" * 257).put(NAMESPACE, "k", NEW)
    assert read_values(store) == [OLD] * 3


async def test_a_put_without_the_right_to_delete_keeps_the_item(
    settings: Settings, server: RpcServer, tmp_path: Path, user: str
) -> None:
    """A put deletes the value that it replaces, which this caller may not."""
    assert server, "the index exists"
    keys = [api_key("all", [user], "read", "write", "delete"), api_key("writer", [user], "read", "write")]
    (tmp_path / "keys.toml").write_text("\n".join(entry for _, entry in keys))
    async with server_with_auth(settings, api_keys=tmp_path / "keys.toml") as server_with_keys:

        def put_by_both() -> None:
            with (
                MemoryClient(server_with_keys.address, token=keys[0][0]) as able,
                MemoryClient(server_with_keys.address, token=keys[1][0]) as unable,
            ):
                SemanticMemoryStore(able, user_id=user).put(NAMESPACE, "k", OLD)
                store = SemanticMemoryStore(unable, user_id=user)
                with pytest.raises(MemoryServiceError, match="PERMISSION_DENIED"):
                    store.put(NAMESPACE, "k", NEW)
                assert read_values(store) == [OLD] * 3
                assert memory_count(unable, user) == 1

        await asyncio.to_thread(put_by_both)


def test_the_last_of_concurrent_puts_wins_and_readers_always_find_the_key(
    server_process: ServerProcess, client: MemoryClient, user: str
) -> None:
    """The readers use their own clients, like other processes."""
    stop = threading.Event()
    reads: list[Any] = []
    spans: dict[int, tuple[float, float]] = {}

    def read(number: int) -> None:
        with MemoryClient(server_process.address) as own:
            store = SemanticMemoryStore(own, user_id=user)
            while not stop.is_set():
                if number == 0:
                    reads.append(store.get(NAMESPACE, "k") is not None)
                elif number == 1:
                    reads.append([one.key for one in store.search(("users",))] == ["k"])
                elif number == 2:
                    reads.append([one.key for one in store.search(("users",), query="number")] == ["k"])
                else:
                    reads.append(store.list_namespaces() == [NAMESPACE])

    with MemoryClient(server_process.address) as second:
        stores = [SemanticMemoryStore(one, user_id=user) for one in (client, second)]
        stores[0].put(NAMESPACE, "k", {"n": -1})

        def put(n: int) -> None:
            started = time.monotonic()
            stores[n % 2].put(NAMESPACE, "k", {"n": n})
            spans[n] = started, time.monotonic()

        with ThreadPoolExecutor(4) as readers, ThreadPoolExecutor(16) as putters:
            reading = [readers.submit(read, number) for number in range(4)]
            list(putters.map(put, range(300)))
            stop.set()
            for one in reading:
                one.result()
    assert len(reads) > 40
    assert all(reads)
    winner = stores[0].get(NAMESPACE, "k")
    assert winner is not None
    assert all(started <= spans[winner.value["n"]][1] for started, _ in spans.values())
    assert memory_count(client, user) == 1


def test_concurrent_deletes_and_puts_leave_the_last_value(client: MemoryClient, user: str) -> None:
    store = SemanticMemoryStore(client, user_id=user)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.batch([PutOp(NAMESPACE, "k", {"n": n} if n % 3 else None)]), range(120)))
    store.delete(NAMESPACE, "k")
    assert memory_count(client, user) == 0
    store.put(NAMESPACE, "k", NEW)
    assert read_values(store) == [NEW] * 3


async def test_concurrent_asyncio_puts_raise_nothing(client: MemoryClient, user: str) -> None:
    store = SemanticMemoryStore(client, user_id=user)
    results: list[list[Result]] = await asyncio.gather(
        *(store.abatch([PutOp(NAMESPACE, "k", {"n": n}), GetOp(NAMESPACE, "k")]) for n in range(40))
    )
    assert all(result[1] is not None for result in results)
    assert memory_count(client, user) == 1
