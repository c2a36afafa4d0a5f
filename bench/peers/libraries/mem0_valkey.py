"""mem0's `Memory` with its Valkey store, messages stored unchanged (`infer=False`: no LLM), called from threads."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from typing import Any

# mem0 reads these when it is imported: no telemetry, and a directory of its own for its files.
os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=tempfile.mkdtemp(), OPENAI_API_KEY="none")

from mem0 import Memory
from mem0.embeddings.base import EmbeddingBase
from mem0.vector_stores.valkey import ValkeyDB
from valkey.commands.search.query import Query
from valkey.exceptions import ResponseError

from bench.peers.libraries.worker import EmbeddingLookup, main
from bench.peers.workload import K, Workload


class Embedder(EmbeddingBase):  # type: ignore[misc]
    """An embedder that looks embeddings up."""

    def __init__(self, lookup: EmbeddingLookup) -> None:
        super().__init__()
        self._lookup = lookup

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:  # noqa: ARG002 - mem0 gives the names
        """Return the embedding of a text."""
        return self._lookup(text)


class Mem0:
    """Calls of the library, without a threshold."""

    def __init__(self, work: Workload, memories: Any) -> None:
        self._work = work
        self._memories = memories

    def store(self, number: int) -> None:
        """Store this memory."""
        message = {"role": "user", "content": self._work.texts[number]}
        self._memories.add([message], user_id=self._work.user(number), infer=False)

    def search(self, query: int) -> list[str]:
        """Return the texts of this query's results within its user, best first."""
        where = {"user_id": self._work.user(query)}
        response = self._memories.search(self._work.texts[query], filters=where, top_k=K, threshold=0.0)
        return [memory["memory"] for memory in response["results"]]


def create_index(store: Any, dimension: int) -> None:
    """Replace `_create_index`: send its FT.CREATE without asking first whether the index exists.

    mem0 does not recognize RediSearch's error for a missing index.
    """
    schema = store._build_index_schema(store.collection_name, dimension, "COSINE", store.prefix)
    with contextlib.suppress(ResponseError):  # The index exists.
        store.client.execute_command(*schema)


def execute_search(store: Any, query: str, params: dict[str, Any]) -> Any:
    """Replace `_execute_search`: sort by distance.

    mem0 sets neither order nor limit, and so receives ten of the sixty results that it asks for. valkey-search returns
    the nearest ten, RediSearch any ten.
    """
    return store.client.ft(store.collection_name).search(Query(query).sort_by("vector_score"), query_params=params)


@contextlib.asynccontextmanager
async def open_adapter(work: Workload, arguments: list[str]) -> AsyncIterator[Mem0]:
    """Open an empty store on this engine. The option `unsorted` leaves the second patch out."""
    ValkeyDB._create_index = create_index
    if "unsorted" not in arguments:
        ValkeyDB._execute_search = execute_search
    config = {"valkey_url": arguments[0], "collection_name": "bench", "embedding_model_dims": work.vectors.shape[1]}
    settings = {"vector_store": {"provider": "valkey", "config": config}, "history_db_path": ":memory:"}
    memories = Memory.from_config(settings)
    memories.embedding_model = Embedder(EmbeddingLookup(work))
    yield Mem0(work, memories)


if __name__ == "__main__":
    main(open_adapter)
