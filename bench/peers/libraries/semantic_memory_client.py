"""This project's asyncio client, to a server of its own."""

import contextlib
from collections.abc import AsyncIterator

from semantic_memory import AsyncMemoryClient

from bench.peers.libraries.worker import main
from bench.peers.services.semantic_memory_server import search_request, store_request
from bench.peers.workload import Workload


class Ours:
    """Calls of the client."""

    def __init__(self, work: Workload, client: AsyncMemoryClient) -> None:
        self._work = work
        self._client = client

    async def store(self, number: int) -> None:
        """Store this memory."""
        await self._client.store(store_request(self._work, number))

    async def search(self, query: int) -> list[str]:
        """The texts found for this query within its user, best first."""
        return [hit.memory.content async for hit in self._client.search(search_request(self._work, query))]


@contextlib.asynccontextmanager
async def opened(work: Workload, arguments: list[str]) -> AsyncIterator[Ours]:
    """A client of the server at this address."""
    async with AsyncMemoryClient(arguments[0]) as client:
        yield Ours(work, client)


if __name__ == "__main__":
    main(opened)
