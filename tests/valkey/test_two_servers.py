"""Two servers on one engine: each sees at once what the other has done to an index."""

from collections.abc import Callable

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import index_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, search
from tests.support.scale import examples
from tests.support.two_servers import INDEX_SPECS, NO_INDEX, USER, IndexSpec, drop_index, ids, keys, outcome

pytestmark = pytest.mark.slow


class Model:
    """The expected state of the index after the calls so far."""

    def __init__(self) -> None:
        self.spec: IndexSpec | None = None
        self.memories: dict[str, str] = {}

    def ensure(self, spec: IndexSpec) -> str:
        if self.spec not in {None, spec}:
            return "FAILED_PRECONDITION INDEX_DIFFERS"
        self.spec = spec
        return "OK"

    def drop(self) -> str:
        if self.spec is None:
            return NO_INDEX
        self.spec, self.memories = None, {}
        return "OK"

    def use(self, spec: IndexSpec) -> str:
        """Return the outcome of a Store or Search with embeddings of this kind."""
        if self.spec is None:
            return NO_INDEX
        if spec.model != self.spec.model:
            return "FAILED_PRECONDITION MODEL_MISMATCH"
        if spec.dimension != self.spec.dimension:
            return "INVALID_ARGUMENT DIMENSION_MISMATCH"
        return "OK"

    def store(self, spec: IndexSpec, id_: str, content: str) -> str:
        if (outcome := self.use(spec)) == "OK" and self.memories.setdefault(id_, content) != content:
            return "ALREADY_EXISTS MEMORY_EXISTS"
        return outcome


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


@examples(25)
@given(steps)
async def test_calls_through_either_server_match_a_model(
    servers: tuple[Stub, Stub],
    engine: Connections,
    new_index: Callable[[], str],
    calls: list[tuple[str, int, IndexSpec, str, str]],
) -> None:
    index, model = new_index(), Model()
    for stub in servers:  # Both have cached an index of this name.
        await stub.EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
        await outcome(search(stub, INDEX_SPECS[0].search(index, USER)))
    model.ensure(INDEX_SPECS[0])
    for what, place, spec, id_, content in calls:
        stub, other = servers[place], servers[1 - place]
        if what == "ensure":
            answer = await outcome(stub.EnsureIndex(spec.ensure(index), timeout=TIMEOUT))
            assert answer == model.ensure(spec)
        elif what == "drop":
            assert await outcome(drop_index(stub, index)) == model.drop()
            assert await keys(engine, index) == set() or model.spec
        elif what == "store":
            answer = await outcome(stub.Store(spec.store(index, USER, id_, content), timeout=TIMEOUT))
            assert answer == model.store(spec, id_, content)
        elif what == "get":
            answer = await outcome(stub.Get(pb.GetRequest(index=index, user_id=USER, id=id_), timeout=TIMEOUT))
            missing = NO_INDEX if model.spec is None else "NOT_FOUND MEMORY_NOT_FOUND"
            assert answer == ("OK" if id_ in model.memories else missing)
        else:
            assert await outcome(search(stub, spec.search(index, USER))) == model.use(spec)
        if model.spec is not None:
            hits, _ = await search(other, model.spec.search(index, USER))
            assert {hit.memory.id: hit.memory.content for hit in hits} == model.memories
            assert sorted(await ids(other, index)) == sorted(model.memories)
    await outcome(drop_index(servers[0], index))


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
        assert "metadata is missing" in str(caught.value.details())
        assert "other software" not in str(caught.value.details())
    await servers[1].EnsureIndex(INDEX_SPECS[0].ensure(index), timeout=TIMEOUT)
    assert await ids(servers[0], index) == ["a"]
