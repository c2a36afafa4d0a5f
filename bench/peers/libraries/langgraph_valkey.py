"""langgraph-checkpoint-aws' `ValkeyStore`, called by threads; a user is a namespace."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langgraph_checkpoint_aws.store.valkey import ValkeyStore

from bench.peers.libraries.worker import Lookup, main
from bench.peers.workload import K, Workload, name


class LangGraph:
    """Calls of the library."""

    def __init__(self, work: Workload, store: Any) -> None:
        self._work = work
        self._store = store

    def store(self, number: int) -> None:
        """Store this memory."""
        value = {"text": self._work.texts[number], "session_id": "s", "role": "user"}
        self._store.put((self._work.user(number),), name(number), value)

    def search(self, query: int) -> list[str]:
        """The texts found for this query within its user, best first."""
        found = self._store.search((self._work.user(query),), query=self._work.texts[query], limit=K)
        return [one.value["text"] for one in found]


@contextlib.asynccontextmanager
async def opened(work: Workload, arguments: list[str]) -> AsyncIterator[LangGraph]:
    """An empty store on this engine."""
    lookup = Lookup(work)
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
    main(opened)
