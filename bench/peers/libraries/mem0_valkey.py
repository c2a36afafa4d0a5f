"""mem0's `Memory` with its Valkey store, verbatim messages (`infer=False`: no LLM), called by threads."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from typing import Any

# It reads these when it is imported: no telemetry, and a directory of its own for what it keeps.
os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=tempfile.mkdtemp(), OPENAI_API_KEY="none")

from mem0 import Memory
from mem0.embeddings.base import EmbeddingBase
from mem0.vector_stores.valkey import ValkeyDB
from valkey.commands.search.query import Query
from valkey.exceptions import ResponseError

from bench.peers.libraries.worker import Lookup, main
from bench.peers.workload import K, Workload


class Embedder(EmbeddingBase):  # type: ignore[misc]
    """Looks embeddings up."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        self._lookup = lookup

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:  # noqa: ARG002 - mem0 gives the names
        """The embedding of a text."""
        return self._lookup(text)


class Mem0:
    """Calls of the library; no threshold."""

    def __init__(self, work: Workload, memories: Any) -> None:
        self._work = work
        self._memories = memories

    def store(self, number: int) -> None:
        """Store this memory."""
        message = {"role": "user", "content": self._work.texts[number]}
        self._memories.add([message], user_id=self._work.user(number), infer=False)

    def search(self, query: int) -> list[str]:
        """The texts found for this query within its user, best first."""
        where = {"user_id": self._work.user(query)}
        found = self._memories.search(self._work.texts[query], filters=where, top_k=K, threshold=0.0)
        return [one["memory"] for one in found["results"]]


def create_index(store: Any, dimension: int) -> None:
    """A patch: what `_create_index` does when there is no index, which RediSearch tells in words it does not know."""
    schema = store._build_index_schema(store.collection_name, dimension, "COSINE", store.prefix)
    with contextlib.suppress(ResponseError):  # It is there already.
        store.client.execute_command(*schema)


def execute_search(store: Any, query: str, params: dict[str, Any]) -> Any:
    """A patch: `_execute_search` in the order of distance. It names no order and no limit, and so gets ten of the sixty
    that it asks for: valkey-search's ten are the nearest, RediSearch's are any."""
    return store.client.ft(store.collection_name).search(Query(query).sort_by("vector_score"), query_params=params)


@contextlib.asynccontextmanager
async def opened(work: Workload, arguments: list[str]) -> AsyncIterator[Mem0]:
    """An empty store on this engine; `unsorted` leaves the second patch out."""
    ValkeyDB._create_index = create_index
    if "unsorted" not in arguments:
        ValkeyDB._execute_search = execute_search
    place = {"valkey_url": arguments[0], "collection_name": "bench", "embedding_model_dims": work.vectors.shape[1]}
    settings = {"vector_store": {"provider": "valkey", "config": place}, "history_db_path": ":memory:"}
    memories = Memory.from_config(settings)
    memories.embedding_model = Embedder(Lookup(work))
    yield Mem0(work, memories)


if __name__ == "__main__":
    main(opened)
