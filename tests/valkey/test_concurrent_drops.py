"""Index drops while another server stores, reads, creates or drops, and drops that are interrupted."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub
from tests.support.two_servers import INDEX_SPECS, NO_INDEX, USER, drop_index, ids, keys, outcome

pytestmark = pytest.mark.slow


async def test_stores_during_drops_lose_nothing_and_leave_no_documents(
    servers: tuple[Stub, Stub], engine: Connections, new_index: Callable[[], str]
) -> None:
    index = new_index()
    first, second = servers
    await first.EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
    ended = False
    acknowledged: list[tuple[float, float, str]] = []
    outcomes: Counter[str] = Counter()

    async def write(number: int) -> None:
        count = 0
        while not ended:
            id_, started = f"{number}-{count}", time.monotonic()
            spec = random.choice(INDEX_SPECS)
            answer = await outcome(second.Store(spec.store(index, USER, id_), timeout=TIMEOUT))
            outcomes[answer] += 1
            if answer == "OK":
                acknowledged.append((started, time.monotonic(), id_))
            count += 1

    writers = [asyncio.create_task(write(number)) for number in range(6)]
    last_drop = (0.0, 0.0)
    for round_ in range(12):
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await drop_index(first, index)
        last_drop = (began, time.monotonic())
        await first.EnsureIndex(INDEX_SPECS[round_ % len(INDEX_SPECS)].ensure(index), timeout=TIMEOUT)
    await asyncio.sleep(0.1)
    ended = True
    await asyncio.gather(*writers)
    there = await ids(first, index)
    before = {id_ for _, end, id_ in acknowledged if end < last_drop[0]}
    after = {id_ for start, _, id_ in acknowledged if start > last_drop[1]}
    assert after, outcomes
    assert after <= set(there), "an acknowledged memory is lost"
    assert before.isdisjoint(there), "a dropped memory is back"
    assert len(there) == len(set(there)) == len(await keys(engine, index)), "documents that nothing finds"
    assert not [one for one in outcomes if "INTERNAL" in one], outcomes


async def test_reads_do_not_undo_a_drop(
    servers: tuple[Stub, Stub], engine: Connections, new_index: Callable[[], str]
) -> None:
    index = new_index()
    first, second = servers
    ended = False

    async def look() -> None:
        while not ended:
            await outcome(second.GetIndex(pb.GetIndexRequest(index=index), timeout=TIMEOUT))
            await outcome(second.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT))

    lookers = [asyncio.create_task(look()) for _ in range(3)]
    for round_ in range(20):
        await first.EnsureIndex(INDEX_SPECS[round_ % 2].ensure(index), timeout=TIMEOUT)
        await first.DropIndex(pb.DropIndexRequest(index=index), timeout=TIMEOUT)
        names = {bytes(one).decode() for one in await engine.run(["FT._LIST"])}
        assert names.isdisjoint({index, f"{index}_flat"})
    ended = True
    await asyncio.gather(*lookers)


async def test_concurrent_drops_and_creates_do_not_conflict(
    servers: tuple[Stub, Stub], new_index: Callable[[], str]
) -> None:
    index = new_index()
    allowed = {"OK", NO_INDEX, "FAILED_PRECONDITION INDEX_DIFFERS"}
    for _ in range(5):
        calls = [
            outcome(servers[number % 2].EnsureIndex(INDEX_SPECS[number % 3].ensure(index), timeout=TIMEOUT))
            if number % 3
            else outcome(drop_index(servers[number % 2], index))
            for number in range(12)
        ]
        assert set(await asyncio.gather(*calls)) <= allowed
    await outcome(drop_index(servers[0], index))
    assert await outcome(servers[1].EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)) == "OK"
    assert await outcome(servers[0].Store(INDEX_SPECS[0].store(index, USER, "a"), timeout=TIMEOUT)) == "OK"


async def test_the_next_call_finishes_an_interrupted_drop(
    servers: tuple[Stub, Stub], engine: Connections, new_index: Callable[[], str]
) -> None:
    for again in ("drop", "ensure"):
        index = new_index()
        await servers[0].EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
        for start in range(0, 600, 100):
            items = [INDEX_SPECS[0].store("", USER, f"{n}") for n in range(start, start + 100)]
            await servers[0].BatchStore(pb.BatchStoreRequest(index=index, memories=items), timeout=TIMEOUT)
        dropping = asyncio.create_task(drop_index(servers[0], index))
        # The record is marked first; then the memories are deleted in batches.
        while b'"dropping"' not in (await engine.run(["GET", f"semantic_memory:index:{index}"]) or b'"dropping"'):
            pass
        dropping.cancel()
        await asyncio.gather(dropping, return_exceptions=True)
        if again == "drop":
            assert await outcome(drop_index(servers[1], index)) in {"OK", NO_INDEX}
            assert await keys(engine, index) == set()
        answer = await outcome(servers[1].EnsureIndex(INDEX_SPECS[1].ensure(index), timeout=TIMEOUT))
        assert answer == "OK", "nothing remains of the old index"
        assert await ids(servers[0], index) == []
        assert await keys(engine, index) == set()


async def test_cancelled_calls_release_their_lease(
    servers: tuple[Stub, Stub], engine: Connections, new_index: Callable[[], str]
) -> None:
    index = new_index()
    for number in range(40):
        ensuring = asyncio.ensure_future(
            servers[number % 2].EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
            if number % 4 < 2
            else drop_index(servers[number % 2], index)
        )
        await asyncio.sleep(0.0005 * number)
        ensuring.cancel()
        await asyncio.gather(ensuring, return_exceptions=True)
    for _ in range(100):  # A lease that is not released lasts 20 seconds.
        if await engine.run(["EXISTS", f"semantic_memory:lease:{index}"]) == 0:
            break
        await asyncio.sleep(0.05)
    assert await engine.run(["EXISTS", f"semantic_memory:lease:{index}"]) == 0
