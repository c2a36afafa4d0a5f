"""BatchStore returns a result for each memory; one failure does not affect the others."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import error_reason_pb2 as reasons
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding, store_request
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts


def item(user: str, content: str = "c", **more: Any) -> pb.StoreRequest:
    return pb.StoreRequest(
        **{
            "user_id": user,
            "role": memory_pb2.ROLE_USER,
            "content": content,
            "embedding": packed_embedding(1.0),
            **more,
        }
    )


async def batch(stub: Stub, *items: pb.StoreRequest, index: str = "") -> list[pb.BatchStoreResult]:
    request = pb.BatchStoreRequest(index=index, memories=items)
    return list((await stub.BatchStore(request, timeout=TIMEOUT)).results)


async def test_a_batch_returns_results_in_request_order(stub: Stub, user: str) -> None:
    results = await batch(stub, *(store_request(user, f"message {n}", f"s{n % 3}") for n in range(100)))
    assert all(one.HasField("stored") for one in results)
    contents = {one.id: one.content for one in await list_all(stub, memory_pb2.MemoryFilter(user_id=user))}
    assert [contents[one.stored.id] for one in results] == [f"message {n}" for n in range(100)]


BAD: dict[str, tuple[dict[str, Any], grpc.StatusCode, int, str]] = {
    "no content": ({"content": ""}, grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_INVALID_REQUEST, "content"),
    "no user": ({"user_id": ""}, grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_INVALID_REQUEST, "user_id"),
    "an empty label": (
        {"labels": ["fine", ""]},
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_INVALID_REQUEST,
        "labels[1]",
    ),
    "half an embedding": (
        {"embedding": b"\0" * 6},
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_INVALID_REQUEST,
        "embedding",
    ),
    "an embedding of another dimension": (
        {"embedding": packed_embedding(1.0, dimension=3)},
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_DIMENSION_MISMATCH,
        "embedding",
    ),
    "an embedding of another model": (
        {"embedding_model": "another"},
        grpc.StatusCode.FAILED_PRECONDITION,
        reasons.ERROR_REASON_MODEL_MISMATCH,
        "",
    ),
    "another index": (
        {"index": "other"},
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_INVALID_REQUEST,
        "index",
    ),
    "an expiry in the past": (
        {"expire_time": Timestamp(seconds=1)},
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_INVALID_REQUEST,
        "expire_time",
    ),
    "a negative ttl": (
        {"ttl": Duration(seconds=-1)},
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_INVALID_REQUEST,
        "ttl",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_an_invalid_memory_has_its_own_error_and_the_others_are_stored(stub: Stub, user: str, case: str) -> None:
    changes, code, reason, field = BAD[case]
    first, bad, last = await batch(stub, item(user, "first"), item(user, **changes), item(user, "last"))
    assert (first.HasField("stored"), last.HasField("stored")) == (True, True)
    assert (bad.error.code, bad.error.reason) == (code.value[0], reason)
    assert bad.error.message
    assert [one.field for one in bad.error.field_violations if field] == ([field] if field else [])
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 2


async def test_a_repeated_batch_stores_nothing_twice(stub: Stub, user: str) -> None:
    items = [item(user, f"{n}", id=f"own {n}") for n in range(20)]
    items += [item(user, f"r{n}", request_id=f"call {n}") for n in range(20)]
    first = await batch(stub, *items)
    again = await batch(stub, *items)
    assert [one.stored.id for one in again] == [one.stored.id for one in first]
    assert [one.stored.timestamp for one in again] == [one.stored.timestamp for one in first]
    assert not any(one.stored.already_stored for one in first)
    assert all(one.stored.already_stored for one in again)
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 40


async def test_concurrent_batches_with_the_same_ids_store_each_memory_once(stub: Stub, user: str) -> None:
    items = [item(user, f"{n}", id=f"own {n}") for n in range(20)]
    answers = await asyncio.gather(*(batch(stub, *items) for _ in range(4)))
    new = [sum(not one.stored.already_stored for one in column) for column in zip(*answers, strict=True)]
    assert new == [1] * 20
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 20


async def test_an_id_in_use_fails_only_its_own_memory(stub: Stub, user: str) -> None:
    await batch(stub, item(user, "one thing", id="taken"))
    taken, free = await batch(stub, item(user, "another thing", id="taken"), item(user, "free"))
    assert taken.error.reason == reasons.ERROR_REASON_MEMORY_EXISTS
    assert taken.error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert free.HasField("stored")


async def test_a_batch_for_an_unknown_index_fails(stub: Stub, user: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await batch(stub, item(user), index="test_nowhere")
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


@examples(20)
@given(st.lists(st.booleans(), min_size=1, max_size=100))
async def test_each_result_has_the_position_of_its_memory(stub: Stub, good: list[bool]) -> None:
    items = [item("batches", "c" if fine else "", id=f"{n}") for n, fine in enumerate(good)]
    results = await batch(stub, *items)
    assert [one.HasField("stored") for one in results] == good


async def test_memories_without_a_timestamp_keep_request_order(stub: Stub, user: str) -> None:
    known = ["ok", "yes", "thanks"]
    await batch(stub, *(store_request(f"{user}-other", content) for content in known))
    # Texts with a cached embedding would otherwise be stored before those that must be embedded.
    contents = [
        known[n % 3] if n % 2 else f"A long question, number {n}, about the deployment of our billing"
        for n in range(40)
    ]
    results = await batch(stub, *(store_request(user, content) for content in contents))
    times = [one.stored.timestamp.ToMicroseconds() for one in results]
    assert times == sorted(set(times)), "strictly increasing"
    assert [one.content for one in await list_all(stub, memory_pb2.MemoryFilter(user_id=user))] == contents
