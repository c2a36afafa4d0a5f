"""Options that change the rank of hits, through the API on a real engine: each with its formula and its parts."""

import math

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import Stub, filter_for_user, search
from tests.support.ranked_messages import (
    HYBRID,
    NOW,
    TEXT,
    VECTOR,
    contents,
    scored_message,
    search_request,
    store_messages,
)

pytestmark = pytest.mark.both_layouts


async def test_neighbors_raise_the_rank_of_a_message(stub: Stub, user: str) -> None:
    await store_messages(
        stub,
        scored_message(user, "Where did you spend the summer, Ann?", NOW),
        scored_message(user, "In a cabin by the lake", NOW + 20),
        scored_message(user, "In a cabin by the road", NOW, session="other"),
        scored_message(user, "Summer came late", NOW + 50_000),
    )
    alone = await contents(stub, search_request(user, "summer cabin", mode=TEXT))
    together, _ = await search(stub, search_request(user, "summer cabin", mode=TEXT, neighbor_weight=0.5))
    assert alone.index("In a cabin by the road") < len(alone)
    ranks = [hit.memory.content for hit in together]
    assert ranks.index("In a cabin by the lake") < ranks.index("In a cabin by the road")
    hits, _ = await search(stub, search_request(user, neighbor_weight=0.5, k=10))
    scores = {hit.memory.content: hit.rank_score for hit in hits}
    assert scores["In a cabin by the lake"] == pytest.approx(1.25), "1 + 0.5 ** 2 for the message before"
    assert scores["Summer came late"] == pytest.approx(1.0), "a message hours later has no neighbors"


async def test_neighbors_outside_the_filter_are_not_returned(stub: Stub, user: str) -> None:
    await store_messages(stub, *(scored_message(user, f"apple {n}", NOW + n) for n in range(6)))
    where = filter_for_user(user, start_time=Timestamp(seconds=NOW + 2), end_time=Timestamp(seconds=NOW + 4))
    for mode in (VECTOR, TEXT, HYBRID):
        request = search_request(user, "apple" if mode != VECTOR else "", mode=mode, neighbor_weight=1.0, filter=where)
        assert set(await contents(stub, request)) == {"apple 2", "apple 3"}


async def test_recency_halves_per_half_life(stub: Stub, user: str) -> None:
    day = 86_400
    now = Timestamp()
    now.GetCurrentTime()
    await store_messages(
        stub,
        scored_message(user, "old and near", now.seconds - 10 * day, x=1.0, y=0.0),
        scored_message(user, "new and less near", now.seconds, x=0.9, y=math.sqrt(1 - 0.81)),
    )
    recency = pb.Recency(half_life=Duration(seconds=10 * day))
    plain = await contents(stub, search_request(user))
    hits, _ = await search(stub, search_request(user, recency=recency))
    assert plain == ["old and near", "new and less near"]
    assert [hit.memory.content for hit in hits] == ["new and less near", "old and near"]
    assert [hit.recency_score for hit in hits] == pytest.approx([1.0, 0.5], abs=1e-3)
    assert [hit.rank_score for hit in hits] == pytest.approx([0.8 * 0.9 + 0.2, 0.8 + 0.2 * 0.5], abs=1e-3)
    recency.weight = 0
    assert await contents(stub, search_request(user, recency=recency)) == plain


async def test_diversity_prefers_dissimilar_messages(stub: Stub, user: str) -> None:
    await store_messages(
        stub,
        scored_message(user, "first", x=1.0, y=0.0),
        scored_message(user, "the same again", x=1.0, y=0.01),
        scored_message(user, "another matter", x=0.7, y=-0.7),
    )
    assert await contents(stub, search_request(user, k=2)) == ["first", "the same again"]
    assert await contents(stub, search_request(user, k=2, diversity=0.5)) == ["first", "another matter"]
    hits, _ = await search(stub, search_request(user, k=2, diversity=0.5))
    relevance = [1.0, math.cos(math.pi / 4)]
    expected = [0.5 * relevance[0], 0.5 * relevance[1] - 0.5 * math.cos(math.pi / 4)]
    assert [hit.rank_score for hit in hits] == pytest.approx(expected, abs=1e-3)


async def test_excluded_memories_are_replaced_by_others(stub: Stub, user: str) -> None:
    ids = await store_messages(
        stub, *(scored_message(user, f"apple {n}", NOW + n, f"s{n % 2}", y=n / 10) for n in range(6))
    )
    for mode in (VECTOR, TEXT, HYBRID):
        request = search_request(
            user, "apple" if mode != VECTOR else "", mode=mode, k=2, exclude_ids=[ids[0], "no such id"]
        )
        hits, _ = await search(stub, request)
        assert len(hits) == 2, "others take its place"
        assert ids[0] not in {hit.memory.id for hit in hits}
        request = search_request(
            user, "apple" if mode != VECTOR else "", mode=mode, filter=filter_for_user(user, exclude_session_ids=["s0"])
        )
        assert {hit.memory.session_id for hit in (await search(stub, request))[0]} == {"s1"}


async def test_min_score_applies_in_vector_and_hybrid_mode(stub: Stub, user: str) -> None:
    await store_messages(
        stub,
        scored_message(user, "apple", x=1.0),
        scored_message(user, "apple pie", x=0.0, y=1.0),
        scored_message(user, "pear", x=-1.0),
    )
    for mode in (VECTOR, HYBRID):
        request = search_request(user, "apple" if mode == HYBRID else "", mode=mode, min_score=0.5)
        hits, summary = await search(stub, request)
        assert [hit.memory.content for hit in hits] == ["apple"]
        assert (summary.candidate_count, summary.below_min_score_count) == (3, 2)


async def test_all_search_options_work_together(stub: Stub, user: str) -> None:
    await store_messages(stub, *(scored_message(user, f"apple {n}", NOW + n, f"s{n % 3}", y=n / 10) for n in range(30)))
    request = search_request(
        user,
        "apples",
        mode=HYBRID,
        k=10,
        text_weight=0.3,
        neighbor_weight=0.5,
        diversity=0.3,
        recency=pb.Recency(half_life=Duration(seconds=3600)),
        context=pb.ContextSize(before=1),
        min_score=0.1,
        consistency=pb.CONSISTENCY_PARTIAL,
        ef_runtime=50,
    )
    hits, summary = await search(stub, request)
    assert len(hits) == 10
    assert not summary.degraded
    assert all(hit.context or hit.context_hit_id for hit in hits)
