"""No response message exceeds gRPC's default limit of 4 MiB, for the largest memories too."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import orjson
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from memory_service.valkey.tags import encode_tag
from tests.support.api import TIMEOUT, Stub, filter_for_user, list_all, packed_embedding
from tests.support.credentials import error_reason
from tests.support.ranked_messages import NOW

LIMIT = 4 * 2**20 - 2**16
VECTOR = packed_embedding(1.0)


def largest_memory(user: str, number: int, session: str = "s", **more: Any) -> pb.StoreRequest:
    """Return a memory of the largest size, 330 kB."""
    request = pb.StoreRequest(
        user_id=user,
        session_id=session,
        role=memory_pb2.ROLE_USER,
        content="𝕳" * 49_990 + f"{number:010}",
        embedding=packed_embedding(1.0, number / 1000),
        metadata={f"k{n}": "𝕳" * 1024 for n in range(32)},
        **more,
    )
    request.timestamp.FromSeconds(NOW + number)
    return request


async def responses(stub: Stub, user: str, **query: Any) -> list[pb.SearchResponse]:
    request = pb.SearchRequest(query_embedding=VECTOR, filter=filter_for_user(user), **query)
    found = [one async for one in stub.Search(request, timeout=TIMEOUT)]
    assert max(one.ByteSize() for one in found) <= LIMIT
    assert found[-1].summary.hit_count == sum(len(one.hits) for one in found)
    return found


async def stored(stub: Stub, *requests: pb.StoreRequest) -> list[str]:
    return [(await stub.Store(one, timeout=TIMEOUT)).id for one in requests]


def hits(found: list[pb.SearchResponse]) -> list[pb.Hit]:
    return [hit for one in found for hit in one.hits]


@pytest.mark.parametrize(
    "query",
    [{"k": 1000}, {"k": 200, "diversity": 0.5}, {"k": 1000, "mode": pb.SEARCH_MODE_HYBRID, "query_text": "word"}],
)
async def test_search_responses_stay_below_the_default_message_limit(
    stub: Stub, user: str, query: dict[str, Any]
) -> None:
    ids = await stored(stub, *(largest_memory(user, n) for n in range(30)))
    found = await responses(stub, user, **query)
    assert len(found) > 5
    assert sorted(hit.memory.id for hit in hits(found)) == sorted(ids)
    assert all(len(hit.memory.content) == 50_000 for hit in hits(found))
    if query == {"k": 1000}:
        assert [hit.memory.id for hit in hits(found)] == ids, "nearest first, across reads"


async def test_a_context_that_is_too_large_keeps_the_nearest_messages(stub: Stub, user: str) -> None:
    ids = await stored(stub, *(largest_memory(user, n) for n in range(-10, 11)))
    [hit] = hits(await responses(stub, user, k=1, context=pb.ContextSize(before=10, after=10)))
    assert hit.memory.id == ids[10], "the nearest to the query"
    assert hit.context_truncated
    around = [ids.index(one.id) for one in hit.context]
    assert around == list(range(around[0], around[-1] + 1))
    assert 10 in around
    assert abs((around[0] + around[-1]) / 2 - 10) <= 1
    assert 7 <= len(around) <= 9


async def test_contexts_too_large_together_are_not_merged(stub: Stub, user: str) -> None:
    ids = await stored(stub, *(largest_memory(user, n) for n in range(12)))
    found = hits(await responses(stub, user, k=12, context=pb.ContextSize(before=1, after=1)))
    assert [hit.memory.id for hit in found] == ids
    assert [hit.context_hit_id for hit in found] == [""] * 12
    assert [[one.id for one in hit.context] for hit in found] == [ids[max(0, n - 1) : n + 2] for n in range(12)]
    assert not any(hit.context_truncated for hit in found)


async def test_a_context_that_fits_is_complete_and_merged(stub: Stub, user: str) -> None:
    ids = await stored(stub, *(largest_memory(user, n) for n in range(4)))
    found = hits(await responses(stub, user, k=2, context=pb.ContextSize(before=2, after=2)))
    assert [one.id for one in found[0].context] == ids
    assert found[1].context_hit_id == found[0].memory.id
    assert not found[0].context_truncated


async def test_hits_beyond_one_read_have_context(stub: Stub, user: str) -> None:
    def small(number: int) -> pb.StoreRequest:
        request = pb.StoreRequest(
            user_id=user,
            session_id="s",
            role=memory_pb2.ROLE_USER,
            content=f"{number}",
            embedding=packed_embedding(1.0, number),
        )
        request.timestamp.FromSeconds(NOW + number * 60)
        return request

    batch = pb.BatchStoreRequest(memories=[small(number) for number in range(90)])
    await stub.BatchStore(batch, timeout=TIMEOUT)
    found = hits(await responses(stub, user, k=80, context=pb.ContextSize(before=1, after=1)))
    assert [hit.memory.content for hit in found] == [f"{n}" for n in range(80)]
    assert [one.content for one in found[0].context] == [f"{n}" for n in range(81)], "all contexts are merged"
    assert {hit.context_hit_id for hit in found[1:]} == {found[0].memory.id}


async def test_list_pages_with_many_labels_are_bounded(stub: Stub, user: str) -> None:
    """Fields other than the content make 1,000 memories larger than a message."""
    long_user = user.ljust(256, "u")
    requests = [
        pb.StoreRequest(
            user_id=long_user,
            session_id="s" * 256,
            id=f"{number}".ljust(256, "i"),
            role=memory_pb2.ROLE_USER,
            content="x",
            embedding=VECTOR,
            labels=[f"{n}".ljust(64, "l") for n in range(16)],
            metadata={f"{n}".ljust(64, "k"): "" for n in range(32)},
        )
        for number in range(1100)
    ]
    for start in range(0, 1100, 100):
        answer = await stub.BatchStore(pb.BatchStoreRequest(memories=requests[start : start + 100]), timeout=TIMEOUT)
        assert all(one.HasField("stored") for one in answer.results)
    page = await stub.List(pb.ListRequest(filter=filter_for_user(long_user), page_size=1000), timeout=TIMEOUT)
    assert page.ByteSize() <= LIMIT
    assert page.next_page_token
    found = await list_all(stub, filter_for_user(long_user), page_size=1000, include_embeddings=True)
    assert sorted(one.id for one in found) == sorted(one.id for one in requests)


async def test_list_pages_with_embeddings_are_bounded(stub: Stub, user: str) -> None:
    ids = await stored(stub, *(largest_memory(user, n) for n in range(30)))
    request = pb.ListRequest(filter=filter_for_user(user), page_size=1000, include_embeddings=True)
    page = await stub.List(request, timeout=TIMEOUT)
    assert 8 <= len(page.memories) <= 12
    assert page.ByteSize() <= LIMIT
    assert [
        one.id for one in await list_all(stub, filter_for_user(user), page_size=1000, include_embeddings=True)
    ] == ids


@pytest.fixture
async def huge(stub: Stub, engine: Connections, user: str, new_index: Callable[[], str]) -> tuple[str, str]:
    """The name of an index with two memories, and the id of the one of 5 MB that other software has written."""
    index, slot = new_index(), "f" * 32
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=index, layout="LAYOUT_JSON"), timeout=TIMEOUT)
    own = largest_memory(user, 1, index=index)
    await stub.Store(own, timeout=TIMEOUT)
    document = {
        "user_id": encode_tag(user),
        "session_id": "s",
        "role": "user",
        "content": "x" * 5_000_000,
        "timestamp": NOW,
        "embedding": np.ones(384).tolist(),
    }
    await engine.run(["JSON.SET", f"mem_{index}:{slot}", "$", orjson.dumps(document)])
    return index, slot


async def test_get_of_a_memory_larger_than_a_message_fails_with_a_reason(
    stub: Stub, user: str, huge: tuple[str, str]
) -> None:
    index, slot = huge
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(pb.GetRequest(index=index, user_id=user, id=slot), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error_reason(caught.value) == "RESPONSE_TOO_LARGE"
    status = rpc_status.from_call(caught.value)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    assert info.metadata == {"id": slot}
    assert len(status.details) == 1, "no retry is suggested"


@pytest.mark.parametrize("query", [{}, {"diversity": 0.5}, {"k": 100}, {"context": pb.ContextSize(before=5, after=5)}])
async def test_search_and_list_skip_a_memory_larger_than_a_message(
    stub: Stub, user: str, huge: tuple[str, str], query: dict[str, Any]
) -> None:
    index, _ = huge
    found = await responses(stub, user, index=index, **query)
    assert [hit.memory.content[-1] for hit in hits(found)] == ["1"]
    page = await stub.List(pb.ListRequest(index=index, filter=filter_for_user(user)), timeout=TIMEOUT)
    assert [one.content[-1] for one in page.memories] == ["1"]
    deleted = await stub.DeleteMatching(
        pb.DeleteMatchingRequest(index=index, filter=filter_for_user(user)), timeout=TIMEOUT
    )
    assert deleted.count == 2, "the large memory can be deleted"
