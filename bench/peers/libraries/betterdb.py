"""BetterDB's agent-memory: `MemoryStore` with an asyncio client of Valkey, as in its README."""

import contextlib
from collections.abc import AsyncIterator

import valkey.asyncio
from betterdb_agent_memory import MemoryStore, RecallWeights

from bench.peers.libraries.worker import EmbeddingLookup, main
from bench.peers.workload import K, Workload


class BetterDB:
    """Calls of the library. A user is a namespace. Results are ranked by similarity alone, without a threshold."""

    def __init__(self, work: Workload, memories: MemoryStore, reinforce: bool | None) -> None:
        self._work = work
        self._memories = memories
        self._reinforce = reinforce

    async def store(self, number: int) -> None:
        """Store this memory."""
        await self._memories.remember(self._work.texts[number], namespace=self._work.user(number), thread_id="s")

    async def search(self, query: int) -> list[str]:
        """Return the texts of this query's results within its user, best first."""
        hits = await self._memories.recall(
            self._work.texts[query],
            k=K,
            threshold=2,
            weights=RecallWeights(similarity=1, recency=0, importance=0),
            reinforce=self._reinforce,
            namespace=self._work.user(query),
        )
        return [hit.item.content for hit in hits]


@contextlib.asynccontextmanager
async def open_adapter(work: Workload, arguments: list[str]) -> AsyncIterator[BetterDB]:
    """Open an empty store on this engine. The option `plain` disables reinforcement."""
    lookup = EmbeddingLookup(work)

    async def embed(text: str) -> list[float]:
        # The library learns the dimension from the embedding of this text.
        return lookup(work.texts[0] if text == "probe" else text)

    async with valkey.asyncio.Valkey.from_url(arguments[0]) as client:
        memories = MemoryStore(client=client, name="bench", embed_fn=embed, analytics=False)
        await memories.ensure_index()
        yield BetterDB(work, memories, False if "plain" in arguments else None)


if __name__ == "__main__":
    main(open_adapter)
