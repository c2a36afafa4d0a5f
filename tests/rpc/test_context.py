"""Messages around a hit, through the API on a real engine."""

import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import Stub, search
from tests.support.ranked_messages import NOW, scored_message, search_request, store_messages

pytestmark = pytest.mark.both_layouts


async def test_context_returns_the_messages_around_a_hit(stub: Stub, user: str) -> None:
    await store_messages(stub, *(scored_message(user, f"{n}", NOW + n, y=1.0 if n == 10 else 50.0) for n in range(20)))
    await store_messages(stub, scored_message(user, "elsewhere", NOW + 10, session="other", y=60.0))
    [hit, *_], _ = await search(stub, search_request(user, k=1, context=pb.ContextSize(before=2, after=3)))
    assert hit.memory.content == "10"
    assert [one.content for one in hit.context] == ["8", "9", "10", "11", "12", "13"]


async def test_overlapping_contexts_are_merged(stub: Stub, user: str) -> None:
    near = {4: 0.1, 6: 0.2, 15: 0.3}
    await store_messages(stub, *(scored_message(user, f"{n}", NOW + n, y=near.get(n, 50.0)) for n in range(20)))
    hits, _ = await search(stub, search_request(user, k=3, context=pb.ContextSize(before=1, after=1)))
    assert [hit.memory.content for hit in hits] == ["4", "6", "15"]
    assert [[one.content for one in hit.context] for hit in hits] == [["3", "4", "5", "6", "7"], [], ["14", "15", "16"]]
    assert [hit.context_hit_id for hit in hits] == ["", hits[0].memory.id, ""]


async def test_context_orders_equal_timestamps_by_id_and_needs_a_session(stub: Stub, user: str) -> None:
    ids = await store_messages(stub, *(scored_message(user, f"{n}", NOW, y=n / 10) for n in range(4)))
    order = sorted(ids)
    [hit], _ = await search(stub, search_request(user, k=1, context=pb.ContextSize(before=3, after=3)))
    assert [one.id for one in hit.context] == order
    other = f"{user}2"
    await store_messages(
        stub, scored_message(other, "alone", session=""), scored_message(other, "alone too", session="", y=1.0)
    )
    [hit, *_], _ = await search(stub, search_request(other, context=pb.ContextSize(before=3, after=3)))
    assert [one.content for one in hit.context] == ["alone"]
