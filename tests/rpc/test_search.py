"""Vector search over a real socket on a real engine: hits, scores and cost."""

import asyncio
from collections.abc import Callable

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, command_counts, filter_for_user, packed_embedding, search, store_request

pytestmark = pytest.mark.both_layouts

DEPLOYS = [
    ("sess_1", "We deployed to ECS using a blue-green strategy"),
    ("sess_2", "Valkey HNSW index provides sub-millisecond vector search"),
    ("sess_3", "Our CI/CD pipeline runs on CodePipeline with canary deploys"),
]


async def test_a_question_finds_messages_of_other_sessions(stub: Stub, user: str) -> None:
    for session, content in DEPLOYS:
        await stub.Store(store_request(user, content, session), timeout=TIMEOUT)
    hits, summary = await search(
        stub, pb.SearchRequest(query_text="How do I deploy my service?", filter=filter_for_user(user))
    )
    assert [hit.memory.session_id for hit in hits] == ["sess_1", "sess_3", "sess_2"]
    assert [hit.memory.content for hit in hits] == [DEPLOYS[0][1], DEPLOYS[2][1], DEPLOYS[1][1]]
    assert [round(hit.score, 2) for hit in hits] == [0.26, 0.21, -0.09]
    assert all(hit.score == pytest.approx(1 - hit.distance, abs=1e-6) for hit in hits)
    assert (summary.hit_count, summary.candidate_count, summary.below_min_score_count) == (3, 3, 0)
    assert summary.nearest_score == pytest.approx(hits[0].score)
    assert summary.embedding_model == "all-minilm-l6-v2-int8"
    assert not summary.degraded


async def test_filters_narrow_and_combine(stub: Stub, user: str) -> None:
    roles = [memory_pb2.ROLE_USER, memory_pb2.ROLE_ASSISTANT, memory_pb2.ROLE_SYSTEM, memory_pb2.ROLE_TOOL]
    for number in range(8):
        await stub.Store(
            pb.StoreRequest(
                user_id=user,
                session_id=f"S-{number % 3}",
                role=roles[number % 4],
                content=f"message {number}",
                timestamp=Timestamp(seconds=1000 + number, nanos=500_000_000),
            ),
            timeout=TIMEOUT,
        )

    async def found(**conditions: object) -> list[int]:
        request = pb.SearchRequest(query_text="message", k=100, filter=filter_for_user(user, **conditions))
        hits, _ = await search(stub, request)
        return sorted(int(hit.memory.content.split()[1]) for hit in hits)

    assert await found() == list(range(8))
    assert await found(session_ids=["S-0"]) == [0, 3, 6]
    assert await found(session_ids=["S-0", "S-2"]) == [0, 2, 3, 5, 6]
    assert await found(roles=[memory_pb2.ROLE_USER]) == [0, 4]
    assert await found(roles=[memory_pb2.ROLE_USER, memory_pb2.ROLE_TOOL], session_ids=["S-0"]) == [0, 3]
    half = Timestamp(seconds=1003, nanos=500_000_000)
    assert await found(start_time=half) == [3, 4, 5, 6, 7], "the range includes its start"
    assert await found(end_time=half) == [0, 1, 2], "and excludes its end"
    assert await found(start_time=Timestamp(seconds=1002), end_time=Timestamp(seconds=1005)) == [2, 3, 4]
    assert await found(session_ids=["s-0"]) == [], "ids are case-sensitive"


async def test_k_defaults_to_five_and_streams_up_to_a_thousand_in_chunks(stub: Stub, user: str) -> None:
    await asyncio.gather(
        *(
            stub.Store(
                pb.StoreRequest(
                    user_id=user, role=memory_pb2.ROLE_USER, content=f"{n}", embedding=packed_embedding(1.0, n / 100)
                ),
                timeout=TIMEOUT,
            )
            for n in range(120)
        )
    )
    request = pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user))
    hits, _ = await search(stub, request)
    assert [hit.memory.content for hit in hits] == ["0", "1", "2", "3", "4"]
    request.k = 1000
    responses = [response async for response in stub.Search(request, timeout=TIMEOUT)]
    assert [len(response.hits) for response in responses] == [25, 25, 25, 25, 20]
    assert [hit.memory.content for response in responses for hit in response.hits] == [str(n) for n in range(120)]


async def test_min_score_drops_hits_and_the_summary_counts_them(stub: Stub, user: str) -> None:
    for session, content in DEPLOYS:
        await stub.Store(store_request(user, content, session), timeout=TIMEOUT)
    request = pb.SearchRequest(query_text="How do I deploy my service?", filter=filter_for_user(user), min_score=0.1)
    hits, summary = await search(stub, request)
    assert [hit.memory.session_id for hit in hits] == ["sess_1", "sess_3"]
    assert (summary.hit_count, summary.candidate_count, summary.below_min_score_count) == (2, 3, 1)
    request.min_score = 0.9
    hits, summary = await search(stub, request)
    assert hits == []
    assert summary.nearest_score == pytest.approx(0.263, abs=0.01), "the summary explains why nothing is found"


async def test_a_search_without_hits_sends_only_the_summary(stub: Stub, user: str) -> None:
    hits, summary = await search(stub, pb.SearchRequest(query_text="anything", filter=filter_for_user(user)))
    assert hits == []
    assert summary.candidate_count == 0
    assert not summary.HasField("nearest_score")


async def test_one_user_is_searched_exactly_and_all_users_by_hnsw(
    stub: Stub, user: str, new_index: Callable[[], str]
) -> None:
    # Uses its own index: in the shared one, hundreds of equal embeddings of other tests form an island in the graph.
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    for who, content in ((user, "a fact about zeppelins and their hangars"), ("someone", "a recipe for soup")):
        request = store_request(who, content)
        request.index = name
        await stub.Store(request, timeout=TIMEOUT)
    question = pb.SearchRequest(index=name, query_text="zeppelin hangars", filter=filter_for_user(user))
    hits, summary = await search(stub, question)
    assert summary.algorithm == index_pb2.ALGORITHM_FLAT
    assert [hit.memory.user_id for hit in hits] == [user]
    question.filter.CopyFrom(memory_pb2.MemoryFilter(all_users=True))
    hits, summary = await search(stub, question)
    assert summary.algorithm == index_pb2.ALGORITHM_HNSW
    assert [hit.memory.user_id for hit in hits] == [user, "someone"]


async def test_a_search_costs_one_engine_command(stub: Stub, engine: Connections, user: str) -> None:
    for session, content in DEPLOYS:
        await stub.Store(store_request(user, content, session), timeout=TIMEOUT)

    await search(stub, pb.SearchRequest(query_text="warm", filter=filter_for_user(user)))
    for _ in range(3):  # Sometimes a server looks for expired memories meanwhile.
        before = await command_counts(engine)
        for k in (1, 3, 1000):
            await search(stub, pb.SearchRequest(query_text="deploy", k=k, filter=filter_for_user(user)))
        spent = await command_counts(engine) - before
        # Readiness, this count, the check of the index every second and by each search, and GLIDE's cluster queries.
        for background in ("ping", "info", "ft.info", "get", "cluster|slots", "cluster|shards", "cluster|nodes"):
            spent.pop(background, None)
        if spent == {"ft.search": 3}:
            break
    assert spent == {"ft.search": 3}
