"""Store, Get and Delete over a real socket on a real engine: content, ids and users."""

import asyncio
import time
import uuid

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.settings import Settings
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, filter_for_user, packed_embedding, search, store_request

pytestmark = pytest.mark.both_layouts


async def test_a_stored_memory_is_returned_unchanged(stub: Stub, user: str) -> None:
    written = Timestamp(seconds=1_700_000_000, nanos=123_456_000)
    content = 'tabs\t"quotes" \\ newlines\n é 漢字 🙂 \u0000 end'
    stored = await stub.Store(
        pb.StoreRequest(
            user_id=user, session_id="Sitzung Ä", role=memory_pb2.ROLE_TOOL, content=content, timestamp=written
        ),
        timeout=TIMEOUT,
    )
    expected = memory_pb2.Memory(
        id=stored.id,
        user_id=user,
        session_id="Sitzung Ä",
        role=memory_pb2.ROLE_TOOL,
        content=content,
        timestamp=written,
    )
    assert stored.timestamp == written
    assert not stored.already_stored
    got = await stub.Get(pb.GetRequest(user_id=user, id=stored.id), timeout=TIMEOUT)
    assert got.memory == expected
    hits, _ = await search(stub, pb.SearchRequest(query_text="quotes", filter=filter_for_user(user)))
    assert [hit.memory for hit in hits] == [expected]


async def test_the_default_timestamp_is_the_servers_time(stub: Stub, user: str) -> None:
    before = time.time()
    stored = await stub.Store(store_request(user, "now"), timeout=TIMEOUT)
    assert before - 1 <= stored.timestamp.ToMicroseconds() / 1e6 <= time.time() + 1


async def test_storing_the_same_id_again_changes_nothing(stub: Stub, user: str) -> None:
    request = store_request(user, "mine")
    request.id = "msg {17}|*"
    first = await stub.Store(request, timeout=TIMEOUT)
    again = await stub.Store(request, timeout=TIMEOUT)
    assert first.id == again.id == request.id
    assert (first.already_stored, again.already_stored) == (False, True)
    assert again.timestamp == first.timestamp
    hits, _ = await search(stub, pb.SearchRequest(query_text="mine", filter=filter_for_user(user)))
    assert [hit.memory.id for hit in hits] == [request.id]
    got = await stub.Get(pb.GetRequest(user_id=user, id=request.id), timeout=TIMEOUT)
    assert got.memory.content == "mine"


@pytest.mark.parametrize("field", ["id", "request_id"])
async def test_different_content_under_a_used_id_is_refused(stub: Stub, user: str, field: str) -> None:
    request = store_request(user, "first")
    setattr(request, field, "k1")
    stored = await stub.Store(request, timeout=TIMEOUT)
    request.content = "second"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Store(request, timeout=TIMEOUT)
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    got = await stub.Get(pb.GetRequest(user_id=user, id=stored.id), timeout=TIMEOUT)
    assert got.memory.content == "first"


async def test_concurrent_stores_with_one_request_id_store_once(stub: Stub, user: str) -> None:
    request = store_request(user, "once")
    request.request_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(stub.Store(request, timeout=TIMEOUT) for _ in range(8)))
    assert len({answer.id for answer in answers}) == 1
    assert sorted(answer.already_stored for answer in answers) == [False] + [True] * 7
    hits, _ = await search(stub, pb.SearchRequest(query_text="once", filter=filter_for_user(user)))
    assert len(hits) == 1


async def test_two_users_can_use_the_same_id(stub: Stub, user: str) -> None:
    other = f"{user}_other"
    for who in (user, other):
        request = store_request(who, f"of {who}")
        request.id = "42"
        await stub.Store(request, timeout=TIMEOUT)
    for who in (user, other):
        got = await stub.Get(pb.GetRequest(user_id=who, id="42"), timeout=TIMEOUT)
        assert got.memory.content == f"of {who}"


async def test_equal_messages_without_an_id_are_separate_memories(stub: Stub, user: str) -> None:
    ids = {(await stub.Store(store_request(user, "same"), timeout=TIMEOUT)).id for _ in range(3)}
    assert len(ids) == 3
    assert all(len(one) == 32 for one in ids)


async def test_delete_takes_effect_immediately_and_is_idempotent(stub: Stub, user: str) -> None:
    ids = [(await stub.Store(store_request(user, f"m{n}"), timeout=TIMEOUT)).id for n in range(3)]
    request = pb.DeleteRequest(user_id=user, ids=[ids[2], "nothing", ids[0], ids[0]])
    answer = await stub.Delete(request, timeout=TIMEOUT)
    assert (list(answer.deleted_ids), list(answer.missing_ids)) == ([ids[2], ids[0]], ["nothing"])
    hits, _ = await search(stub, pb.SearchRequest(query_text="m", filter=filter_for_user(user)))
    assert [hit.memory.id for hit in hits] == [ids[1]]
    answer = await stub.Delete(request, timeout=TIMEOUT)
    assert (list(answer.deleted_ids), list(answer.missing_ids)) == ([], [ids[2], "nothing", ids[0]])


async def test_delete_accepts_a_thousand_ids(stub: Stub, user: str) -> None:
    stored = await stub.Store(store_request(user, "one"), timeout=TIMEOUT)
    ids = [*(f"none-{n}" for n in range(999)), stored.id]
    answer = await stub.Delete(pb.DeleteRequest(user_id=user, ids=ids), timeout=TIMEOUT)
    assert list(answer.deleted_ids) == [stored.id]
    assert len(answer.missing_ids) == 999


async def test_get_and_delete_cannot_reach_another_users_memory(stub: Stub, user: str) -> None:
    stored = await stub.Store(store_request(user, "secret"), timeout=TIMEOUT)
    for id_ in (stored.id, "none at all"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Get(pb.GetRequest(user_id="mallory", id=id_), timeout=TIMEOUT)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert "secret" not in str(caught.value.details())
    answer = await stub.Delete(pb.DeleteRequest(user_id="mallory", ids=[stored.id]), timeout=TIMEOUT)
    assert list(answer.missing_ids) == [stored.id]
    assert (await stub.Get(pb.GetRequest(user_id=user, id=stored.id), timeout=TIMEOUT)).memory.content == "secret"


async def test_get_and_delete_for_all_users_use_server_ids(stub: Stub, user: str) -> None:
    stored = await stub.Store(store_request(user, "anyone's"), timeout=TIMEOUT)
    got = await stub.Get(pb.GetRequest(all_users=True, id=stored.id), timeout=TIMEOUT)
    assert got.memory.user_id == user
    answer = await stub.Delete(pb.DeleteRequest(all_users=True, ids=[stored.id]), timeout=TIMEOUT)
    assert list(answer.deleted_ids) == [stored.id]


async def test_a_storage_id_is_not_a_memory_id(stub: Stub, engine: Connections, settings: Settings, user: str) -> None:
    request = store_request(user, "mine")
    request.id = "my own"
    await stub.Store(request, timeout=TIMEOUT)
    prefix = f"mem_{settings.index}:"
    found = await engine.run(["FT.SEARCH", settings.index, f"@user_id:{{{user}}}", "RETURN", "0", "DIALECT", "2"])
    [slot] = [bytes(key).decode().removeprefix(prefix) for key in found[1]]
    for scope in (pb.GetRequest(user_id=user, id=slot), pb.GetRequest(all_users=True, id=slot)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Get(scope, timeout=TIMEOUT)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_near_duplicates_are_reported_and_not_merged(stub: Stub, user: str) -> None:
    def item(content: str, x: float, y: float, who: str = user) -> pb.StoreRequest:
        return pb.StoreRequest(
            user_id=who,
            role=memory_pb2.ROLE_USER,
            content=content,
            embedding=packed_embedding(x, y),
            near_duplicate_min_score=0.9,
        )

    first = await stub.Store(item("first", 1.0, 0.0), timeout=TIMEOUT)
    assert not first.near_duplicates
    await stub.Store(item("of another user", 1.0, 0.0, f"{user}2"), timeout=TIMEOUT)
    await stub.Store(item("unlike", 0.0, 1.0), timeout=TIMEOUT)
    request = item("nearly", 1.0, 0.1)
    request.id = "mine"
    for _ in range(2):
        nearly = await stub.Store(request, timeout=TIMEOUT)
        assert [one.id for one in nearly.near_duplicates] == [first.id], "a retry is not a duplicate of itself"
        assert nearly.near_duplicates[0].score == pytest.approx(1 / 1.01**0.5, abs=1e-4)
    hits, _ = await search(stub, pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user)))
    assert {hit.memory.content for hit in hits} == {"first", "nearly", "unlike"}


async def test_storing_again_under_the_server_id_changes_nothing(stub: Stub, user: str) -> None:
    stored = await stub.Store(store_request(user, "once"), timeout=TIMEOUT)
    request = store_request(user, "once")
    request.id = stored.id
    assert (await stub.Store(request, timeout=TIMEOUT)).already_stored
    request.content = "another"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Store(request, timeout=TIMEOUT)
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    # Another user can use the same id.
    request.user_id = f"{user}2"
    assert not (await stub.Store(request, timeout=TIMEOUT)).already_stored
    assert len((await search(stub, pb.SearchRequest(query_text="once", filter=filter_for_user(user))))[0]) == 1


async def test_an_embedding_of_unit_length_is_kept_bit_for_bit(stub: Stub, user: str) -> None:
    await stub.Store(store_request(user, "any text"), timeout=TIMEOUT)
    request = pb.ListRequest(filter=filter_for_user(user), include_embeddings=True)
    [first] = (await stub.List(request, timeout=TIMEOUT)).memories
    again = store_request(f"{user}2", "any text")
    again.embedding = first.embedding
    await stub.Store(again, timeout=TIMEOUT)
    request.filter.user_id = again.user_id
    [second] = (await stub.List(request, timeout=TIMEOUT)).memories
    assert second.embedding == first.embedding
