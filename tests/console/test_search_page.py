"""The search page on the real service and engine."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, store_request
from tests.support.console_pages import console_client, get_page, store_messages
from tests.support.server_process import SERVICE


async def test_search_shows_hits_and_their_scores(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "We deploy with canaries", "Tomatoes need much sun", "The canary is yellow")
    html = await get_page(
        http, "/search", q="canary deploys", user=user, mode="hybrid", neighbors="0.5", recency="30d", k="2"
    )
    assert html.count('class="hit"') == 2
    for name in ("similarity", "text score", "recency"):
        assert html.count(f"<dt>{name}</dt>") == 2
    assert "2 of 3 candidates" in html


def bars(html: str) -> list[tuple[str, float, float]]:
    """Each bar on a page: the name of its score, the score, and the width in percent."""
    matches = re.findall(
        r"<dt>([\w ]+)</dt><dd>([+-][\d.]+|[\d.]+)</dd><svg class=\"bar\".*?<rect width=\"([\d.]+)\"", html
    )
    return [(name, float(value), float(width)) for name, value, width in matches]


async def test_score_bars_have_an_absolute_scale(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "We deploy with canaries", "Tomatoes need much sun")
    for mode in ("vector", "hybrid"):
        shown = bars(await get_page(http, "/search", q="canary deploys", user=user, mode=mode, recency="30d"))
        assert [name for name, _, _ in shown] == ["similarity", "recency"] * 2
        for _, value, width in shown:
            assert width == pytest.approx(100 * max(value, 0), abs=0.06)
        # The best hit does not fill the bar, unless its similarity is 1.
        assert shown[0][2] < 95
    # BM25 has no maximum, so that it has no bar.
    html = await get_page(http, "/search", q="canaries", user=user, mode="text")
    assert "<dt>text score</dt>" in html
    assert bars(html) == []


async def test_more_hits_than_k_are_one_link_away(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, *[f"canary number {number}" for number in range(18)], session="s 1")
    first = await get_page(http, "/search", q="canary", user=user, session="s 1\ns2")
    assert first.count('class="hit"') == 5
    [link] = re.findall(r'<a href="([^"]+)" rel="next">More hits, up to 15', first)
    assert link.endswith("#hit-6")
    second = (await http.get(link.replace("&amp;", "&"))).text
    assert second.count('class="hit"') == 15
    assert 'id="hit-6"' in second
    shown = [re.findall(r"canary number \d+", html) for html in (first, second)]
    assert shown[1][:5] == shown[0]
    [link] = re.findall(r'<a href="([^"]+)" rel="next">More hits, up to 30', second)
    last = (await http.get(link.replace("&amp;", "&"))).text
    assert last.count('class="hit"') == 18
    assert "More hits" not in last


@pytest.mark.parametrize(
    ("options", "limit"), [({}, 1000), ({"diversity": "0.5"}, 200), ({"after": "1", "recency": "30d"}, 100)]
)
async def test_more_hits_end_at_the_limit_of_the_api(options: dict[str, str], limit: int) -> None:
    async def search(request: pb.SearchRequest, _: Any) -> AsyncIterator[pb.SearchResponse]:
        hits = [pb.Hit(memory=memory_pb2.Memory(content="hit")) for _ in range(request.k)]
        yield pb.SearchResponse(hits=hits, summary=pb.SearchSummary(hit_count=request.k, candidate_count=5000))

    async with fake_service(search) as address, console_client(address) as http:
        almost = await get_page(http, "/search", q="x", user="u", k=str(limit - 1), **options)
        assert f"More hits, up to {limit}<" in almost
        html = await get_page(http, "/search", q="x", user="u", k=str(limit), **options)
    assert "More hits" not in html
    assert f"One search returns at most {limit} hits" in html


async def test_every_filter_is_applied(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "first canary", "second canary", session="s1")
    await store_messages(stub, user, "third canary", session="s2")
    labelled = store_request(user, "labelled canary", "s3", memory_pb2.ROLE_TOOL)
    labelled.labels.extend(["ops", "urgent"])
    await stub.Store(labelled, timeout=TIMEOUT)

    async def matches(**query: Any) -> set[str]:
        html = await get_page(http, "/search", q="canary", user=user, **query)
        return set(re.findall(r"(first|second|third|labelled) canary", html))

    assert await matches() == {"first", "second", "third", "labelled"}
    assert await matches(session="s1\ns2") == {"first", "second", "third"}
    assert await matches(exclude_session="s1") == {"third", "labelled"}
    assert await matches(role="tool") == {"labelled"}
    assert await matches(any_label="ops\nnone", all_label="ops\nurgent") == {"labelled"}
    assert await matches(since="2026-01-01T00:01", until="2026-01-02") == {"second"}
    assert await matches(k="1", mode="text") <= {"first", "second", "third", "labelled"}
    assert await matches(min_score="0.999") == set()


async def test_search_of_all_users_shows_the_user_of_each_hit(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "Xylophones in the quarry")
    html = await get_page(http, "/search", q="Xylophones in the quarry", all_users="yes", k="1")
    assert f"user <bdi>{user}</bdi>" in html


async def test_hit_is_shown_in_its_context(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "Who feeds the cat?", "Nobody", "So I bought a machine for it")
    html = await get_page(http, "/search", q="Who feeds the cat?", user=user, k="1", after="1")
    assert re.search(r'class="is-hit".*Who feeds the cat\?', html)
    assert "Nobody" in html
    assert "machine" not in html


@asynccontextmanager
async def fake_service(
    search: Callable[[pb.SearchRequest, Any], AsyncIterator[pb.SearchResponse]],
) -> AsyncIterator[str]:
    """Serve only this Search, and yield the address."""
    service = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(
        search,
        request_deserializer=pb.SearchRequest.FromString,
        response_serializer=pb.SearchResponse.SerializeToString,
    )
    service.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Search": handler}),))
    port = service.add_insecure_port("127.0.0.1:0")
    await service.start()
    yield f"127.0.0.1:{port}"
    await service.stop(None)


async def test_hits_are_shown_as_they_arrive() -> None:
    proceed = asyncio.Event()

    async def search(_: pb.SearchRequest, context: Any) -> AsyncIterator[pb.SearchResponse]:
        yield pb.SearchResponse(hits=[pb.Hit(memory=memory_pb2.Memory(content="the first"), rank_score=0.5)])
        await proceed.wait()
        yield pb.SearchResponse(hits=[pb.Hit(memory=memory_pb2.Memory(content="the second"), rank_score=0.4)])
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the engine is unavailable")

    async with (
        fake_service(search) as address,
        console_client(address) as http,
        http.stream("GET", "/search", params={"q": "x", "user": "u"}) as response,
    ):
        parts, html = response.aiter_text(), ""
        while "the first" not in html:
            html += await anext(parts)
        assert "the second" not in html
        proceed.set()
        html = "".join([part async for part in parts])
    assert "the second" in html
    assert "UNAVAILABLE: the engine is unavailable" in html
    assert html.rstrip().endswith("</html>")
