"""Responses report when the model has embedded only the beginning of a text."""

from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, filter_for_user, packed_embedding, search, store_request

LONG = "word " * 300


async def test_store_reports_a_truncated_text(stub: Stub, user: str) -> None:
    assert not (await stub.Store(store_request(user, "short"), timeout=TIMEOUT)).truncated
    assert (await stub.Store(store_request(user, LONG), timeout=TIMEOUT)).truncated
    assert (await stub.Store(store_request(user, LONG), timeout=TIMEOUT)).truncated, "from the cache too"


async def test_batch_store_reports_truncated_texts(stub: Stub, user: str) -> None:
    batch = pb.BatchStoreRequest(memories=[store_request(user, "short"), store_request(user, f"{LONG} of a batch")])
    answer = await stub.BatchStore(batch, timeout=TIMEOUT)
    assert [one.stored.truncated for one in answer.results] == [False, True]


async def test_own_embeddings_and_repeated_stores_are_not_truncated(stub: Stub, user: str) -> None:
    own = store_request(user, LONG)
    own.embedding = packed_embedding(1.0)
    assert not (await stub.Store(own, timeout=TIMEOUT)).truncated
    named = store_request(user, LONG)
    named.id = "named"
    assert (await stub.Store(named, timeout=TIMEOUT)).truncated
    again = await stub.Store(named, timeout=TIMEOUT)
    assert (again.already_stored, again.truncated) == (True, False)


async def test_search_reports_a_truncated_query(stub: Stub, user: str) -> None:
    async def truncated(**query: object) -> bool:
        _, summary = await search(stub, pb.SearchRequest(filter=filter_for_user(user), **query))  # type: ignore[arg-type]
        return summary.query_truncated

    assert not await truncated(query_text="short")
    assert await truncated(query_text=LONG)
    assert await truncated(query_text=LONG, mode=pb.SEARCH_MODE_HYBRID)
    assert not await truncated(query_text=LONG, mode=pb.SEARCH_MODE_TEXT), "text mode embeds nothing"
    assert not await truncated(query_embedding=packed_embedding(1.0))
