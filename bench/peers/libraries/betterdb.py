"""BetterDB's agent-memory: `MemoryStore` with an asyncio client of Valkey, as its README has it."""

import contextlib
from collections.abc import AsyncIterator

import valkey.asyncio
from betterdb_agent_memory import MemoryStore, RecallWeights

from bench.peers.libraries.worker import Lookup, main
from bench.peers.workload import K, Workload


class BetterDB:
    """Calls of the library; a user is a namespace. Ranked by similarity alone, and none cut by a threshold."""

    def __init__(self, work: Workload, memories: MemoryStore, reinforce: bool | None) -> None:
        self._work = work
        self._memories = memories
        self._reinforce = reinforce

    async def store(self, number: int) -> None:
        """Store this memory."""
        await self._memories.remember(self._work.texts[number], namespace=self._work.user(number), thread_id="s")

    async def search(self, query: int) -> list[str]:
        """The texts found for this query within its user, best first."""
        found = await self._memories.recall(
            self._work.texts[query],
            k=K,
            threshold=2,
            weights=RecallWeights(similarity=1, recency=0, importance=0),
            reinforce=self._reinforce,
            namespace=self._work.user(query),
        )
        return [hit.item.content for hit in found]


@contextlib.asynccontextmanager
async def opened(work: Workload, arguments: list[str]) -> AsyncIterator[BetterDB]:
    """An empty store on this engine; `plain` leaves reinforcement out."""
    lookup = Lookup(work)

    async def embed(text: str) -> list[float]:
        # It learns the dimension from the embedding of this text.
        return lookup(work.texts[0] if text == "probe" else text)

    async with valkey.asyncio.Valkey.from_url(arguments[0]) as client:
        memories = MemoryStore(client=client, name="bench", embed_fn=embed, analytics=False)
        await memories.ensure_index()
        yield BetterDB(work, memories, False if "plain" in arguments else None)


if __name__ == "__main__":
    main(opened)
