"""This project's asyncio client, which calls a server."""

import contextlib
from collections.abc import AsyncIterator

from semantic_memory import AsyncMemoryClient

from bench.peers.libraries.worker import main
from bench.peers.services.semantic_memory_server import search_message, store_message
from bench.peers.workload import Workload


class SemanticMemoryClient:
    """Calls of the client."""

    def __init__(self, work: Workload, client: AsyncMemoryClient) -> None:
        self._work = work
        self._client = client

    async def store(self, number: int) -> None:
        """Store this memory."""
        await self._client.store(store_message(self._work, number))

    async def search(self, query: int) -> list[str]:
        """Return the texts of this query's results within its user, best first."""
        return [hit.memory.content async for hit in self._client.search(search_message(self._work, query))]


@contextlib.asynccontextmanager
async def open_adapter(work: Workload, arguments: list[str]) -> AsyncIterator[SemanticMemoryClient]:
    """Connect to the server at this address."""
    async with AsyncMemoryClient(arguments[0]) as client:
        yield SemanticMemoryClient(work, client)


if __name__ == "__main__":
    main(open_adapter)
