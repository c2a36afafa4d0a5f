"""Measures what Valkey's memory holds for each memory, for docs/runbook.md: through the service, both indexes.

    .venv/bin/python -m scripts.valkey_sizing valkey://127.0.0.1:6379 [--dimension 1536] [--memories 20000]

Contents are 30 words, embeddings random, users many. What is stored is removed at the end.
"""

import argparse
import asyncio
import random

import numpy as np
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.client import connect
from memory_service.engine import Connections
from memory_service.engine.url import parse_url
from memory_service.server import running
from memory_service.settings import Settings

_INDEX = "memory_sizing"
_BATCH = 100
_WORDS = [f"{first}{second}" for first in "bcdfghklmnprst" for second in ("ali", "one", "under", "ation", "ix", "ough")]


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--memories", type=int, default=20_000)
    given = parser.parse_args()
    engine = Connections(parse_url(given.url))
    await engine.open()
    settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(given.url))
    async with running(settings) as server, connect(server.address) as service:
        index = pb.EnsureIndexRequest(index=_INDEX, dimension=given.dimension, embedding_model="random")
        await service.EnsureIndex(index, timeout=60)
        before = await _used(engine)
        for first in range(0, given.memories, _BATCH):
            batch = [_memory(number, given.dimension) for number in range(first, first + _BATCH)]
            response = await service.BatchStore(pb.BatchStoreRequest(index=_INDEX, memories=batch), timeout=300)
            if failed := [one.error.message for one in response.results if one.HasField("error")]:
                raise RuntimeError(failed[0])
        each = (await _used(engine) - before) / given.memories
        print(f"{given.memories:,} memories of {given.dimension} dimensions: {each / 1024:.1f} KiB each")
        await service.DropIndex(pb.DropIndexRequest(index=_INDEX, delete_memories=True), timeout=300)
    await engine.close()


def _memory(number: int, dimension: int) -> pb.StoreRequest:
    chosen = random.Random(number)  # noqa: S311 - the same each time
    return pb.StoreRequest(
        user_id=f"user{number % 100}",
        session_id=f"session{number // 50}",
        role=memory_pb2.ROLE_USER,
        content=" ".join(chosen.choices(_WORDS, k=30)),
        embedding=np.random.default_rng(number).normal(size=dimension).astype("<f4").tobytes(),
        embedding_model="random",
    )


async def _used(engine: Connections) -> int:
    lines = bytes(await engine.run(["INFO", "memory"])).decode().splitlines()
    return int(next(line for line in lines if line.startswith("used_memory:")).removeprefix("used_memory:"))


if __name__ == "__main__":
    asyncio.run(main())
