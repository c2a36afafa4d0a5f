"""EnsureIndex creates an index, or reports how the existing one differs."""

import asyncio

import grpc
import pytest
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.schema import key_prefix
from tests.support.api import TIMEOUT, Stub, packed_embedding, search
from tests.support.indexes import BOTH_ALGORITHMS, NewIndex, differences, ensure_request


async def test_ensure_index_creates_an_index_once(stub: Stub, new_index: NewIndex) -> None:
    name = new_index()
    first = await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    again = await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    assert (first.created, again.created) == (True, False)
    assert again.index == index_pb2.Index(
        name=name,
        state=index_pb2.INDEX_STATE_READY,
        dimension=3,
        embedding_model="mine",
        algorithms=BOTH_ALGORITHMS,
        layout=first.index.layout,
    )


async def test_the_default_index_has_the_embedders_dimension_and_model(stub: Stub, settings: Settings) -> None:
    answer = await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    assert not answer.created
    assert (answer.index.name, answer.index.dimension) == (settings.index, 384)
    assert answer.index.embedding_model == "all-minilm-l6-v2-int8"


async def test_concurrent_ensure_index_calls_succeed(stub: Stub, new_index: NewIndex) -> None:
    name = new_index()
    answers = await asyncio.gather(*(stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT) for _ in range(10)))
    assert any(answer.created for answer in answers)
    assert {answer.index.state for answer in answers} == {index_pb2.INDEX_STATE_READY}


async def test_conflicting_ensure_index_calls_do_not_both_succeed(stub: Stub, new_index: NewIndex) -> None:
    name = new_index()
    requests = [ensure_request(name), pb.EnsureIndexRequest(index=name, dimension=3, embedding_model="yours")]
    answers = await asyncio.gather(
        *(stub.EnsureIndex(one, timeout=TIMEOUT) for one in requests), return_exceptions=True
    )
    assert sum(isinstance(one, grpc.aio.AioRpcError) for one in answers) == 1


async def test_ensure_index_reports_every_difference(stub: Stub, new_index: NewIndex) -> None:
    name = new_index()
    await stub.EnsureIndex(ensure_request(name, algorithms=[index_pb2.ALGORITHM_FLAT]), timeout=TIMEOUT)
    assert await differences(stub, ensure_request(name, dimension=4)) == {"dimension"}
    other = pb.EnsureIndexRequest(index=name, dimension=5, embedding_model="yours", algorithms=BOTH_ALGORITHMS)
    assert await differences(stub, other) == {"dimension", "embedding_model", "algorithms"}
    assert await differences(stub, pb.EnsureIndexRequest(dimension=7)) == {"dimension"}, "not that of the embedder"


async def test_a_differing_index_of_other_software_is_not_changed(
    stub: Stub, engine: Connections, new_index: NewIndex
) -> None:
    name = new_index()
    fields = ["$.who", "AS", "user_id", "TAG", "$.timestamp", "AS", "timestamp", "NUMERIC"]
    vector = ["$.embedding", "AS", "embedding", "VECTOR", "FLAT", "6", "DIM", "3", "TYPE", "FLOAT32"]
    create = ["FT.CREATE", name, "ON", "JSON", "PREFIX", "1", key_prefix(name), "SCHEMA", *fields, *vector]
    await engine.run([*create, "DISTANCE_METRIC", "L2"])
    found = await differences(stub, ensure_request(name))
    assert found == {"algorithm", "metric", "field session_id", "field role", "field user_id"}
    names = {bytes(one).decode() for one in await engine.run(["FT._LIST"])}
    assert f"{name}_flat" not in names, "nothing is created beside an index that differs"


@pytest.mark.parametrize("algorithm", BOTH_ALGORITHMS)
async def test_an_index_with_one_algorithm_answers_every_search(
    stub: Stub, user: str, new_index: NewIndex, algorithm: index_pb2.Algorithm
) -> None:
    name = new_index()
    made = await stub.EnsureIndex(ensure_request(name, algorithms=[algorithm]), timeout=TIMEOUT)
    assert list(made.index.algorithms) == [algorithm]
    kept = await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    assert not kept.created, "without an algorithm in the request, the existing one is accepted"
    embedding = packed_embedding(1.0, 2.0, dimension=3)
    await stub.Store(
        pb.StoreRequest(index=name, user_id=user, role=memory_pb2.ROLE_USER, content="c", embedding=embedding),
        timeout=TIMEOUT,
    )
    for where in (memory_pb2.MemoryFilter(user_id=user), memory_pb2.MemoryFilter(all_users=True)):
        hits, summary = await search(stub, pb.SearchRequest(index=name, query_embedding=embedding, filter=where))
        assert [hit.memory.content for hit in hits] == ["c"]
        assert hits[0].score == pytest.approx(1)
        assert summary.algorithm == algorithm


async def test_existing_memories_are_found_when_ensure_index_returns(
    stub: Stub, engine: Connections, user: str, new_index: NewIndex
) -> None:
    name = new_index()
    for number in range(300):
        document = f'{{"user_id":"{user}","role":"user","content":"{number}","timestamp":1,"embedding":[1,{number},0]}}'
        await engine.run(["JSON.SET", f"{key_prefix(name)}{number}", "$", document])
    await stub.EnsureIndex(ensure_request(name, layout=index_pb2.LAYOUT_JSON), timeout=TIMEOUT)
    where = memory_pb2.MemoryFilter(user_id=user)
    request = pb.SearchRequest(index=name, query_embedding=packed_embedding(1.0, dimension=3), filter=where, k=1000)
    hits, summary = await search(stub, request)
    assert len(hits) == 300
    assert not summary.degraded
    described = await stub.GetIndex(pb.GetIndexRequest(index=name), timeout=TIMEOUT)
    assert described.index.memory_count == 300


async def test_indexes_are_listed_once_and_in_order(stub: Stub, new_index: NewIndex, settings: Settings) -> None:
    names = sorted(new_index() for _ in range(3))
    for name in names:
        await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    listed = [one.name for one in (await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)).indexes]
    assert listed == sorted(set(listed))
    assert {*names, settings.index} <= set(listed)


async def test_indexes_do_not_share_memories(stub: Stub, user: str, new_index: NewIndex) -> None:
    one, other = new_index(), new_index()
    for name in (one, other):
        await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    embedding = packed_embedding(1.0, dimension=3)
    stored = await stub.Store(
        pb.StoreRequest(index=one, user_id=user, role=memory_pb2.ROLE_USER, content="c", embedding=embedding),
        timeout=TIMEOUT,
    )
    where = memory_pb2.MemoryFilter(user_id=user)
    hits, _ = await search(stub, pb.SearchRequest(index=other, query_embedding=embedding, filter=where))
    assert hits == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(pb.GetRequest(index=other, user_id=user, id=stored.id), timeout=TIMEOUT)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_an_index_of_an_earlier_schema_is_reported(stub: Stub, engine: Connections, new_index: NewIndex) -> None:
    name = new_index()
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    key = f"semantic_memory:index:{name}"
    metadata = bytes(await engine.run(["GET", key])).replace(b'"schema_version":3', b'"schema_version":1')
    await engine.run(["SET", key, metadata])
    assert await differences(stub, ensure_request(name)) == {"schema_version"}
    await stub.DropIndex(pb.DropIndexRequest(index=name), timeout=TIMEOUT)
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
