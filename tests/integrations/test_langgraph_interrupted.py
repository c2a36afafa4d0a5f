"""An interrupted put or delete of the LangGraph store leaves the old or the new value."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from langgraph.store.base import PutOp
from semantic_memory import MemoryClient, MemoryServiceError
from semantic_memory.langgraph import SemanticMemoryStore

from tests.support.langgraph_items import NAMESPACE, NEW, OLD, memory_count, read_values
from tests.support.server_process import ServerProcess, environment

pytestmark = pytest.mark.slow


@pytest.fixture
def store(client: MemoryClient, user: str) -> SemanticMemoryStore:
    return SemanticMemoryStore(client, user_id=user)


class InterruptedClient(MemoryClient):
    """A client that fails one of its calls, before or after the server has executed it."""

    def __init__(self, address: str, call: int, *, executed: bool) -> None:
        super().__init__(address)
        self.calls_left = call
        self.executed = executed

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        self.calls_left -= 1
        if self.calls_left == 0:
            if self.executed:
                super()._call(method, request, timeout)
            raise MemoryServiceError(grpc.StatusCode.CANCELLED, "interrupted")
        return super()._call(method, request, timeout)


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("value", [NEW, None])
def test_an_interrupted_put_or_delete_leaves_the_old_or_the_new_value(
    server_process: ServerProcess, client: MemoryClient, user: str, value: dict[str, str] | None, *, executed: bool
) -> None:
    store = SemanticMemoryStore(client, user_id=user)
    interrupted = 0
    for call in range(1, 10):
        key = f"k{call}"
        store.put(NAMESPACE, key, OLD)
        with InterruptedClient(server_process.address, call, executed=executed) as failing:
            try:
                SemanticMemoryStore(failing, user_id=user).batch([PutOp(NAMESPACE, key, value)])
            except MemoryServiceError:
                interrupted += 1
        seen = read_values(store, key)
        assert seen in ([OLD] * 3, [value] * 3), call
        store.put(NAMESPACE, key, NEW)
        assert read_values(store, key) == [NEW] * 3
        store.delete(NAMESPACE, key)
        assert read_values(store, key) == [None] * 3
    assert 3 <= interrupted < 9
    assert memory_count(client, user) == 0


def test_an_older_version_does_not_count_towards_the_limit(
    server_process: ServerProcess, client: MemoryClient, store: SemanticMemoryStore, user: str
) -> None:
    """After an interrupted put, only the older version of the item matches the query."""
    store.put(NAMESPACE, "stale", {"text": "Alice likes tea best"})
    with (
        InterruptedClient(server_process.address, 4, executed=False) as failing,
        pytest.raises(MemoryServiceError),
    ):
        SemanticMemoryStore(failing, user_id=user).put(NAMESPACE, "stale", {"text": "Rome is in Italy"})
    assert memory_count(client, user) == 2
    store.put(NAMESPACE, "fresh", {"text": "Tea is what she likes"})
    store.put(NAMESPACE, "hidden", {"text": "Alice likes tea"}, index=False)
    best = store.search(NAMESPACE, query="Alice likes tea best", limit=1)
    assert [item.key for item in best] == ["fresh"]
    both = store.search(NAMESPACE, query="Alice likes tea best")
    assert [item.key for item in both] == ["fresh", "stale"]
    assert both[1].value == {"text": "Rome is in Italy"}


class ShortDeadlineClient(MemoryClient):
    """A client whose calls have a deadline of a few milliseconds."""

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:  # noqa: ARG002 - replaced by a shorter one
        return super()._call(method, request, random.uniform(0.001, 0.008))


def test_a_put_whose_deadline_passes_leaves_the_old_or_the_new_value(
    server_process: ServerProcess, client: MemoryClient, user: str
) -> None:
    store = SemanticMemoryStore(client, user_id=user)
    store.put(NAMESPACE, "k", {"n": 0})
    failed = 0
    with ShortDeadlineClient(server_process.address) as short_client:
        grpc.channel_ready_future(short_client.channel).result(30)
        for n in range(1, 100):
            try:
                SemanticMemoryStore(short_client, user_id=user).put(NAMESPACE, "k", {"n": n})
            except MemoryServiceError:
                failed += 1
            item = store.get(NAMESPACE, "k")
            assert item is not None
            assert item.value["n"] <= n
    assert failed
    time.sleep(1)  # A Store that has started runs to its end.
    store.put(NAMESPACE, "k", NEW)
    assert read_values(store) == [NEW] * 3
    assert memory_count(client, user) == 1


PUTTING = """
import sys
from itertools import count
from semantic_memory import MemoryClient
from semantic_memory.langgraph import SemanticMemoryStore
store = SemanticMemoryStore(MemoryClient(sys.argv[1]), user_id=sys.argv[2])
for n in count():
    store.put(("users", "alice"), "k", {"n": n})
    print(n, flush=True)
"""


def test_a_killed_client_leaves_the_last_value_or_the_one_before(
    server_process: ServerProcess, client: MemoryClient, user: str
) -> None:
    store = SemanticMemoryStore(client, user_id=user)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", PUTTING, server_process.address, user],
            env=environment(),
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(random.randrange(5, 20))]
        process.kill()
        with process.stdout:
            printed += process.stdout.readlines()
        process.wait(30)
        last = int(printed[-1])
        item = store.get(NAMESPACE, "k")
        assert item is not None
        assert item.value["n"] in (last, last + 1)
    store.put(NAMESPACE, "k", NEW)
    assert read_values(store) == [NEW] * 3
    assert memory_count(client, user) == 1
