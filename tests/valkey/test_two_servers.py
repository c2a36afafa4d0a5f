"""What one server says holds for the index as it is, whatever another server has just done to it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.schema import key_prefix
from tests.support.api import TIMEOUT, Stub, list_all, search
from tests.support.two_servers import INDEX_SPECS, IndexSpec, drop_index, outcome, two_servers

NO_INDEX = "NOT_FOUND INDEX_NOT_FOUND"
USER = "u"


@pytest.fixture(scope="module")
async def servers(settings: Settings) -> AsyncIterator[tuple[Stub, Stub]]:
    async with two_servers(settings) as both:
        yield both


async def keys(engine: Connections, index: str) -> set[str]:
    return {key.decode() async for lot in engine.scan(f"{key_prefix(index)}*") for key in lot}


async def ids(stub: Stub, index: str) -> list[str]:
    return [one.id for one in await list_all(stub, memory_pb2.MemoryFilter(user_id=USER), index=index)]


class Model:
    """What the index should be after the calls so far."""

    def __init__(self) -> None:
        self.spec: IndexSpec | None = None
        self.memories: dict[str, str] = {}

    def ensured(self, spec: IndexSpec) -> str:
        if self.spec not in {None, spec}:
            return "FAILED_PRECONDITION INDEX_DIFFERS"
        self.spec = spec
        return "OK"

    def dropped(self) -> str:
        if self.spec is None:
            return NO_INDEX
        self.spec, self.memories = None, {}
        return "OK"

    def used(self, spec: IndexSpec) -> str:
        """The outcome of a Store or Search with embeddings of this kind."""
        if self.spec is None:
            return NO_INDEX
        if spec.model != self.spec.model:
            return "FAILED_PRECONDITION MODEL_MISMATCH"
        if spec.dimension != self.spec.dimension:
            return "INVALID_ARGUMENT DIMENSION_MISMATCH"
        return "OK"

    def stored(self, spec: IndexSpec, id_: str, content: str) -> str:
        if (used := self.used(spec)) == "OK" and self.memories.setdefault(id_, content) != content:
            return "ALREADY_EXISTS MEMORY_EXISTS"
        return used


steps = st.lists(
    st.tuples(
        st.sampled_from(["ensure", "drop", "store", "store", "store", "search", "get"]),
        st.integers(0, 1),
        st.sampled_from(INDEX_SPECS),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y"]),
    ),
    min_size=4,
    max_size=14,
)


@settings(max_examples=25)
@given(steps)
async def test_calls_through_either_server_match_a_model(
    servers: tuple[Stub, Stub],
    engine: Connections,
    new_index: Callable[[], str],
    calls: list[tuple[str, int, IndexSpec, str, str]],
) -> None:
    index, model = new_index(), Model()
    for stub in servers:  # Both have known an index of this name.
        await stub.EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
        await outcome(search(stub, INDEX_SPECS[0].search(index, USER)))
    model.ensured(INDEX_SPECS[0])
    for what, place, spec, id_, content in calls:
        stub, other = servers[place], servers[1 - place]
        if what == "ensure":
            answer = await outcome(stub.EnsureIndex(spec.ensure(index), timeout=TIMEOUT))
            assert answer == model.ensured(spec)
        elif what == "drop":
            assert await outcome(drop_index(stub, index)) == model.dropped()
            assert await keys(engine, index) == set() or model.spec
        elif what == "store":
            answer = await outcome(stub.Store(spec.store(index, USER, id_, content), timeout=TIMEOUT))
            assert answer == model.stored(spec, id_, content)
        elif what == "get":
            answer = await outcome(stub.Get(pb.GetRequest(index=index, user_id=USER, id=id_), timeout=TIMEOUT))
            missing = NO_INDEX if model.spec is None else "NOT_FOUND MEMORY_NOT_FOUND"
            assert answer == ("OK" if id_ in model.memories else missing)
        else:
            assert await outcome(search(stub, spec.search(index, USER))) == model.used(spec)
        if model.spec is not None:
            hits, _ = await search(other, model.spec.search(index, USER))
            assert {hit.memory.id: hit.memory.content for hit in hits} == model.memories
            assert sorted(await ids(other, index)) == sorted(model.memories)
    await outcome(drop_index(servers[0], index))


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
        # The record is marked first; then the memories are deleted, in lots.
        while b'"dropping"' not in (await engine.run(["GET", f"semantic_memory:index:{index}"]) or b'"dropping"'):
            pass
        dropping.cancel()
        await asyncio.gather(dropping, return_exceptions=True)
        if again == "drop":
            assert await outcome(drop_index(servers[1], index)) in {"OK", NO_INDEX}
            assert await keys(engine, index) == set()
        answer = await outcome(servers[1].EnsureIndex(INDEX_SPECS[1].ensure(index), timeout=TIMEOUT))
        assert answer == "OK", "nothing of the old index is in the way"
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
    for _ in range(100):  # Only for when it never goes: a lease that is left behind lasts 20 seconds.
        if await engine.run(["EXISTS", f"semantic_memory:lease:{index}"]) == 0:
            break
        await asyncio.sleep(0.05)
    assert await engine.run(["EXISTS", f"semantic_memory:lease:{index}"]) == 0


async def test_a_server_follows_a_layout_changed_by_another(
    servers: tuple[Stub, Stub], new_index: Callable[[], str]
) -> None:
    index = new_index()
    json, hashes = INDEX_SPECS[0], INDEX_SPECS[3]
    assert hashes.layout == index_pb2.LAYOUT_HASH
    await servers[0].EnsureIndex(json.ensure(index), timeout=TIMEOUT)
    await servers[1].Store(json.store(index, USER, "a"), timeout=TIMEOUT)
    await drop_index(servers[0], index)
    await servers[0].EnsureIndex(hashes.ensure(index), timeout=TIMEOUT)
    await servers[1].Store(hashes.store(index, USER, "a"), timeout=TIMEOUT)
    for stub in servers:
        memory = (await stub.Get(pb.GetRequest(index=index, user_id=USER, id="a"), timeout=TIMEOUT)).memory
        assert memory.content == "c"
        repeated = await stub.Store(hashes.store(index, USER, "a"), timeout=TIMEOUT)
        assert repeated.already_stored


async def test_ensure_index_restores_an_evicted_index_record(
    servers: tuple[Stub, Stub], engine: Connections, new_index: Callable[[], str]
) -> None:
    index = new_index()
    await servers[0].EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
    await servers[0].Store(INDEX_SPECS[0].store(index, USER, "a"), timeout=TIMEOUT)
    await engine.run(["DEL", f"semantic_memory:index:{index}"])
    for stub in servers:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Store(INDEX_SPECS[0].store(index, USER, "b"), timeout=TIMEOUT)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "record is gone" in str(caught.value.details())
        assert "other software" not in str(caught.value.details())
    await servers[1].EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
    assert await ids(servers[0], index) == ["a"]
