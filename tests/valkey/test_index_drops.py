"""Indexes that are dropped, by DropIndex or in the engine, and created again."""

import grpc
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from memory_service.valkey.schema import key_prefix
from tests.support.api import TIMEOUT, Stub, packed_embedding, search
from tests.support.indexes import BOTH_ALGORITHMS, NewIndex, ensure_request, store_one


async def test_recreating_a_dropped_index_restores_its_memories(stub: Stub, user: str, new_index: NewIndex) -> None:
    name = new_index()
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    id_ = await store_one(stub, name, user)
    dropped = await stub.DropIndex(pb.DropIndexRequest(index=name), timeout=TIMEOUT)
    assert dropped.deleted_memory_count == 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await store_one(stub, name, user)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    request = pb.SearchRequest(
        index=name, query_embedding=packed_embedding(1.0, dimension=3), filter=memory_pb2.MemoryFilter(user_id=user)
    )
    assert [hit.memory.id for hit in (await search(stub, request))[0]] == [id_]


async def test_drop_index_can_delete_the_memories(
    stub: Stub, engine: Connections, user: str, new_index: NewIndex
) -> None:
    name, other = new_index(), new_index()
    for one in (name, other):
        await stub.EnsureIndex(ensure_request(one), timeout=TIMEOUT)
        for _ in range(3):
            await store_one(stub, one, user)
    dropped = await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)
    assert dropped.deleted_memory_count == 3
    left = [key async for keys in engine.scan(f"{key_prefix(name)}*") for key in keys]
    assert left == []
    kept = await stub.GetIndex(pb.GetIndexRequest(index=other), timeout=TIMEOUT)
    assert kept.index.memory_count == 3, "another index's memories stay"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.DropIndex(pb.DropIndexRequest(index=name), timeout=TIMEOUT)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("vanished", ["", "_flat", "both"])
async def test_only_ensure_index_restores_a_part_dropped_in_the_engine(
    stub: Stub, engine: Connections, user: str, new_index: NewIndex, vanished: str
) -> None:
    name = new_index()
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    id_ = await store_one(stub, name, user)
    request = pb.SearchRequest(
        index=name, query_embedding=packed_embedding(1.0, dimension=3), filter=memory_pb2.MemoryFilter(user_id=user)
    )
    await search(stub, request)
    dropped = {name, f"{name}_flat"} if vanished == "both" else {name + vanished}
    for part in dropped:
        await engine.run(["FT.DROPINDEX", part])
    if vanished == "both":
        for call in (search(stub, request), stub.GetIndex(pb.GetIndexRequest(index=name))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    else:
        hits, _ = await search(stub, request)
        assert [hit.memory.id for hit in hits] == [id_], "the other part answers"
    assert dropped.isdisjoint({bytes(one).decode() for one in await engine.run(["FT._LIST"])})
    answer = await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    assert answer.created
    assert list(answer.index.algorithms) == BOTH_ALGORITHMS
    hits, summary = await search(stub, request)
    assert [hit.memory.id for hit in hits] == [id_]
    assert not summary.degraded


async def test_a_flushed_index_is_not_found(stub: Stub, engine: Connections, user: str, new_index: NewIndex) -> None:
    name = new_index()
    await stub.EnsureIndex(ensure_request(name), timeout=TIMEOUT)
    for part in (name, f"{name}_flat"):
        await engine.run(["FT.DROPINDEX", part])
    await engine.run(["DEL", f"semantic_memory:index:{name}"])
    where = memory_pb2.MemoryFilter(user_id=user)
    request = pb.SearchRequest(index=name, query_embedding=packed_embedding(1.0, dimension=3), filter=where)
    for _ in range(2):
        for call in (search(stub, request), stub.List(pb.ListRequest(index=name, filter=where))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
