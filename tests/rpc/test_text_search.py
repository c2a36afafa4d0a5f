"""Text and hybrid search through the API on a real engine: matches, scores and cost."""

import math
import uuid
from collections.abc import Callable

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.text_analysis import stored_terms
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, command_counts, search
from tests.support.ranked_messages import (
    HYBRID,
    NOW,
    TEXT,
    contents,
    scored_message,
    search_request,
    store_messages,
)
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts


async def test_text_mode_matches_word_stems_only(stub: Stub, user: str) -> None:
    await store_messages(
        stub,
        scored_message(user, "The invoice number is INV-2291"),
        scored_message(user, "We deployed the billing service"),
        scored_message(user, "Invoices are due on Friday, said the invoice"),
    )
    hits, summary = await search(stub, search_request(user, "which invoices?", mode=TEXT))
    assert [hit.memory.content for hit in hits] == [
        "Invoices are due on Friday, said the invoice",
        "The invoice number is INV-2291",
    ]
    assert all(hit.text_score == hit.rank_score > 0 for hit in hits)
    assert all((hit.score, hit.distance) == (0, 1) for hit in hits), "nothing is embedded"
    assert list(summary.query_terms) == ["invoic"]
    assert summary.candidate_count == 2
    assert not summary.HasField("nearest_score")
    assert await contents(stub, search_request(user, "INV-2291", mode=TEXT)) == ["The invoice number is INV-2291"]
    assert await contents(stub, search_request(user, "zeppelins", mode=TEXT)) == []
    assert await contents(stub, search_request(user, "the of and", mode=TEXT)) == [], "stop words match nothing"


words = st.lists(st.sampled_from(["apple", "pear", "plum", "fig", "date"]), max_size=6)


@examples(20)
@given(st.lists(words, min_size=1, max_size=8), words.filter(bool), st.floats(0, 1, width=32))
async def test_hybrid_scores_are_the_documented_sum(
    stub: Stub, texts: list[list[str]], query_words: list[str], w: float
) -> None:
    user = uuid.uuid4().hex
    turns = [
        scored_message(user, f"{n} {' '.join(text)}", x=math.cos(n), y=math.sin(n)) for n, text in enumerate(texts)
    ]
    await store_messages(stub, *turns)
    request = search_request(user, " ".join(query_words), mode=HYBRID, text_weight=w, k=100)
    hits, _ = await search(stub, request)
    assert len(hits) == len(texts)

    stems = {hit.memory.id: stored_terms(hit.memory.content) for hit in hits}
    wanted = list(dict.fromkeys(stored_terms(" ".join(query_words))))
    df = {term: sum(term in each for each in stems.values()) for term in wanted}
    average = sum(map(len, stems.values())) / len(stems)

    def text_score(hit: pb.Hit) -> float:
        length, score = len(stems[hit.memory.id]), 0.0
        for term in wanted:
            rarity = math.log(1 + (len(hits) - df[term] + 0.5) / (df[term] + 0.5))
            count = stems[hit.memory.id].count(term)
            score += rarity * count * 1.9 / (count + 0.9 * (0.6 + 0.4 * length / average))
        return score

    best_score = max(0.0, *(hit.score for hit in hits))
    best_text = max(text_score(hit) for hit in hits)
    for hit in hits:
        assert hit.text_score == pytest.approx(text_score(hit), rel=1e-4)
        relevance = (1 - w) * max(hit.score, 0) / best_score if best_score else 0.0
        words_part = w * text_score(hit) / best_text if best_text else 0.0
        assert hit.rank_score == pytest.approx(relevance + words_part, abs=1e-4)
    assert [hit.rank_score for hit in hits] == sorted((hit.rank_score for hit in hits), reverse=True)


async def test_hybrid_mode_finds_what_each_mode_alone_misses(stub: Stub, user: str) -> None:
    await store_messages(
        stub,
        scored_message(user, "near in meaning", x=1.0, y=0.1),
        scored_message(user, "ticket QX-17 was closed", x=-1.0),
        scored_message(user, "neither", x=0.0, y=1.0),
    )
    hits, summary = await search(stub, search_request(user, "QX-17", mode=HYBRID, k=2))
    assert {hit.memory.content for hit in hits} == {"near in meaning", "ticket QX-17 was closed"}
    assert summary.candidate_count == 3


async def test_a_common_word_beside_a_rare_one_only_adds_to_scores(stub: Stub, user: str) -> None:
    common = [scored_message(user, f"apple number {n}", NOW + n, y=50.0) for n in range(400)]
    for start in range(0, 400, 100):
        await store_messages(stub, *common[start : start + 100])
    await store_messages(stub, scored_message(user, "a rare apple, and a quince", y=60.0))
    hits, summary = await search(stub, search_request(user, "quince or apple", mode=HYBRID, k=1))
    assert hits[0].memory.content == "a rare apple, and a quince"
    assert list(summary.query_terms) == ["quinc", "appl"]
    assert list(summary.common_terms) == ["appl"]


async def test_the_longest_of_many_words_are_searched_wherever_they_are(stub: Stub, user: str) -> None:
    await store_messages(stub, scored_message(user, "a quintessential example"), scored_message(user, "w7 is short"))
    query = " ".join([*(f"w{n}" for n in range(300)), "quintessential"])
    assert await contents(stub, search_request(user, query, mode=TEXT, k=1)) == ["a quintessential example"]


async def test_words_of_other_users_do_not_change_scores(stub: Stub, user: str) -> None:
    mine = [scored_message(user, "an apple a day", y=1.0), scored_message(user, "a pear a day", y=2.0)]
    await store_messages(stub, *mine)
    before, _ = await search(stub, search_request(user, "apple day", mode=TEXT))
    await store_messages(stub, *(scored_message(f"{user}{n}", "apple apple day", y=1.0) for n in range(50)))
    after, _ = await search(stub, search_request(user, "apple day", mode=TEXT))
    assert [(hit.memory.id, hit.rank_score) for hit in before] == [(hit.memory.id, hit.rank_score) for hit in after]


async def test_hybrid_mode_works_across_all_users(stub: Stub, user: str) -> None:
    word = f"w{user[-12:]}"
    await store_messages(stub, *(scored_message(f"{user}{n}", f"{word} of {n}", y=float(n)) for n in range(3)))
    request = search_request(user, word, mode=HYBRID, filter=memory_pb2.MemoryFilter(all_users=True), k=3)
    hits, _ = await search(stub, request)
    assert {hit.memory.user_id for hit in hits} == {f"{user}{n}" for n in range(3)}


@pytest.mark.parametrize("mode", [TEXT, HYBRID])
async def test_the_number_of_engine_commands_does_not_grow_with_the_hits(
    stub: Stub, engine: Connections, user: str, mode: pb.SearchMode
) -> None:
    async def spent() -> int:
        counts = []
        for _ in range(3):  # Sometimes a server looks for expired memories meanwhile.
            before = await command_counts(engine)
            await search(stub, search_request(user, "apple pie", mode=mode, neighbor_weight=0.5, k=100))
            counts.append((await command_counts(engine))["ft.search"] - before["ft.search"])
        return min(counts)

    await store_messages(stub, scored_message(user, "apple pie"))
    few = await spent()
    await store_messages(stub, *(scored_message(user, f"apple pie {n}", NOW + n, f"s{n % 9}") for n in range(99)))
    assert await spent() == few <= 7, (
        "counts of the scope, its limits and each word; the vector search; the text search; neighbors"
    )


async def test_text_mode_needs_an_index_with_the_terms_field(
    stub: Stub, engine: Connections, user: str, new_index: Callable[[], str]
) -> None:
    name = new_index()
    schema = ["$.session_id", "AS", "session_id", "TAG", "$.role", "AS", "role", "TAG", "$.user_id", "AS", "user_id"]
    schema += ["TAG", "$.timestamp", "AS", "timestamp", "NUMERIC", "$.embedding", "AS", "embedding", "VECTOR"]
    vector = ["HNSW", "6", "DIM", "384", "TYPE", "FLOAT32", "DISTANCE_METRIC", "COSINE"]
    await engine.run(["FT.CREATE", name, "ON", "JSON", "PREFIX", "1", f"mem_{name}:", "SCHEMA", *schema, *vector])
    only = pb.EnsureIndexRequest(index=name, algorithms=["ALGORITHM_HNSW"])
    await stub.EnsureIndex(only, timeout=TIMEOUT)
    await stub.Store(pb.StoreRequest(index=name, user_id=user, role="ROLE_USER", content="apple"), timeout=TIMEOUT)
    by_words = search_request(user, "apple", mode=TEXT, index=name)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await search(stub, by_words)
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    # As the message advises.
    dropped = await stub.DropIndex(pb.DropIndexRequest(index=name), timeout=TIMEOUT)
    assert dropped.deleted_memory_count == 0
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    assert await contents(stub, by_words) == ["apple"]
