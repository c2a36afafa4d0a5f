"""langgraph-checkpoint-aws' `ValkeyStore`, called from threads; a user is a namespace."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langgraph_checkpoint_aws.store.valkey import ValkeyStore

from bench.peers.libraries.worker import EmbeddingLookup, main
from bench.peers.workload import K, Workload, memory_id


class LangGraph:
    """Calls of the library."""

    def __init__(self, work: Workload, store: Any) -> None:
        self._work = work
        self._store = store

    def store(self, number: int) -> None:
        """Store this memory."""
        value = {"text": self._work.texts[number], "session_id": "s", "role": "user"}
        self._store.put((self._work.user(number),), memory_id(number), value)

    def search(self, query: int) -> list[str]:
        """Return the texts of this query's results within its user, best first."""
        items = self._store.search((self._work.user(query),), query=self._work.texts[query], limit=K)
        return [item.value["text"] for item in items]


@contextlib.asynccontextmanager
async def open_adapter(work: Workload, arguments: list[str]) -> AsyncIterator[LangGraph]:
    """Open an empty store on this engine."""
    lookup = EmbeddingLookup(work)
    index = {
        "collection_name": "bench",
        "dims": work.vectors.shape[1],
        "embed": lambda texts: [lookup(text) for text in texts],
        "fields": ["text"],
    }
    with ValkeyStore.from_conn_string(arguments[0], index=index) as store:
        store.setup()
        yield LangGraph(work, store)


if __name__ == "__main__":
    main(open_adapter)
