"""What the service costs over the engine: Store and Search over gRPC beside the same work straight through GLIDE.

    python -m bench.overhead [--memories 2000] [--callers 8] [--rounds 5]

Both sides write the same documents and run the same searches, with ready embeddings of 384 dimensions, on one embedded
Valkey, in turns: a round of the one, a round of the other. The gRPC client runs in the server's process, so its cost is
in the ratio. Printed is the rate of each and, which alone means something
on a shared machine, their ratio; the median of the rounds.
"""

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

import grpc
import numpy as np
import uvloop
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from memory_service.cli.client import Stub
from memory_service.embedded import EmbeddedValkey
from memory_service.engine import Connections
from memory_service.engine.documents import encode_document
from memory_service.engine.queries import WHOLE, Searching, filter_text, knn_command
from memory_service.engine.url import parse_url
from memory_service.logs import log_to_stderr
from memory_service.memory.embeddings import pack_embedding
from memory_service.memory.types import Embedding, Filter, Memory, Role
from memory_service.server import running
from memory_service.settings import Settings

USERS = 20
DIMENSION = 384
Work = Callable[[int], Awaitable[object]]


async def main(memories: int, callers: int, rounds: int) -> None:
    """Run all rounds and print the table."""
    embeddings = random_embeddings(memories)
    with tempfile.TemporaryDirectory() as folder:
        valkey = EmbeddedValkey(Path(folder), appendfsync="no")
        await valkey.start()
        url = f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
        settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(url), valkey_connections=8, drain=0)
        raw = Connections(parse_url(url, connections=8))
        await raw.open()
        async with running(settings) as server, grpc.aio.insecure_channel(server.address) as channel:
            stub = cast("Stub", MemoryServiceStub(channel))
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=60)
            sides = works(stub, raw, embeddings)
            print(f"{memories} memories of {DIMENSION} dimensions, {USERS} users, {callers} callers, {rounds} rounds")
            print(f"{'':<24}{'GLIDE alone':>14}{'over gRPC':>14}{'ratio':>8}")
            for name, (direct, over_grpc) in sides.items():
                await compare(name, direct, over_grpc, count=memories // 2, callers=callers, rounds=rounds)
        await raw.close()
        await valkey.stop()


async def compare(name: str, direct: Work, over_grpc: Work, *, count: int, callers: int, rounds: int) -> None:
    """One line of the table: operations a second of both, and their ratio."""
    rates: list[tuple[float, float]] = []
    for number in range(rounds):
        order = [direct, over_grpc] if number % 2 else [over_grpc, direct]
        measured = {work: await rate(work, count, callers) for work in order}
        rates.append((measured[direct], measured[over_grpc]))
    plain = statistics.median(one for one, _ in rates)
    served = statistics.median(other for _, other in rates)
    ratio = statistics.median(other / one for one, other in rates)
    print(f"{name:<24}{plain:>12,.0f}/s{served:>12,.0f}/s{ratio:>8.2f}")


async def rate(work: Work, count: int, callers: int) -> float:
    """Operations a second with this many callers."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await work(number)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


def works(stub: Stub, raw: Connections, embeddings: Sequence[Embedding]) -> dict[str, tuple[Work, Work]]:
    """Each operation, straight through GLIDE and over gRPC."""
    index = "memory_idx_flat"

    async def store_directly(n: int) -> object:
        slot = uuid.uuid4().hex
        memory = Memory(slot, f"user{n % USERS}", "s", Role.USER, "a message of some words", n)
        return await raw.run(
            [
                "JSON.SET",
                f"mem:{slot}",
                "$",
                encode_document(memory, embeddings[n], ["messag", "word"], own_id=False),
                "NX",
            ]
        )

    async def store_over_grpc(n: int) -> object:
        request = pb.StoreRequest(
            user_id=f"user{n % USERS}",
            session_id="s",
            role=memory_pb2.ROLE_USER,
            content="a message of some words",
            embedding=pack_embedding(embeddings[n]),
        )
        return await stub.Store(request, timeout=30)

    def searches(k: int) -> tuple[Work, Work]:
        async def search_directly(n: int) -> object:
            where = filter_text(Filter(f"user{n % USERS}"))
            search = Searching(index, 5000, all_shards=False)
            return await raw.run(knn_command(search, where, embeddings[n], k, ef_runtime=None, returned=WHOLE))

        async def search_over_grpc(n: int) -> object:
            request = pb.SearchRequest(
                query_embedding=pack_embedding(embeddings[n]),
                filter=memory_pb2.MemoryFilter(user_id=f"user{n % USERS}"),
                k=k,
            )
            return [response async for response in stub.Search(request, timeout=30)]

        return search_directly, search_over_grpc

    return {
        "Store": (store_directly, store_over_grpc),
        "Search, one user, k=5": searches(5),
        "Search, one user, k=50": searches(50),
    }


def random_embeddings(count: int) -> list[Embedding]:
    """Unit vectors, the same in every run."""
    numbers = np.random.default_rng(7).normal(size=(count, DIMENSION))
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    return list(numbers.astype(np.float32))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(arguments.memories, arguments.callers, arguments.rounds))
