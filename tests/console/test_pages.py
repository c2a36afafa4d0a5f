"""The console's pages over real HTTP, on the real service and engine."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, store_request
from tests.support.console_pages import MARKUP, START, open_console, page_text, store_messages
from tests.support.credentials import api_key, server_with_auth
from tests.support.server_process import SERVICE


@pytest.fixture(scope="module")
async def browser(server: RpcServer) -> AsyncIterator[httpx.AsyncClient]:
    async with open_console(server.address) as browser:
        yield browser


async def test_overview_shows_health_and_every_index(browser: httpx.AsyncClient, settings: Settings) -> None:
    html = await page_text(browser, "/")
    assert re.search(r"The service at .*\s+is ready", html)
    assert settings.index in html
    assert "all-minilm-l6-v2-int8" in html
    assert "HNSW, FLAT" in html


async def test_overview_says_that_the_service_is_away() -> None:
    async with open_console("127.0.0.1:1") as browser:
        html = await page_text(browser, "/")
    assert re.search(r"The service at .*\s+does not answer", html)
    assert "memory-service serve" in html


async def test_search_shows_hits_with_their_parts(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "We deploy with canaries", "Tomatoes need much sun", "The canary is yellow")
    html = await page_text(
        browser, "/search", q="canary deploys", user=user, mode="hybrid", neighbors="0.5", recency="30d", k="2"
    )
    assert html.count('class="hit"') == 2
    for part in ("meaning", "words", "recency"):
        assert html.count(f"<dt>{part}</dt>") == 2
    assert "2 of 3 candidates" in html


async def test_every_filter_reaches_the_search(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "first canary", "second canary", session="s1")
    await store_messages(stub, user, "third canary", session="s2")
    labelled = store_request(user, "labelled canary", "s3", memory_pb2.ROLE_TOOL)
    labelled.labels.extend(["ops", "urgent"])
    await stub.Store(labelled, timeout=TIMEOUT)

    async def found(**query: Any) -> set[str]:
        html = await page_text(browser, "/search", q="canary", user=user, **query)
        return set(re.findall(r"(first|second|third|labelled) canary", html))

    assert await found() == {"first", "second", "third", "labelled"}
    assert await found(session="s1\ns2") == {"first", "second", "third"}
    assert await found(exclude_session="s1") == {"third", "labelled"}
    assert await found(role="tool") == {"labelled"}
    assert await found(any_label="ops\nnone", all_label="ops\nurgent") == {"labelled"}
    assert await found(since="2026-01-01T00:01", until="2026-01-02") == {"second"}
    assert await found(k="1", mode="text") <= {"first", "second", "third", "labelled"}
    assert await found(min_score="0.999") == set()


async def test_search_over_every_user_names_them(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "Xylophones in the quarry")
    html = await page_text(browser, "/search", q="Xylophones in the quarry", all_users="yes", k="1")
    assert f"of <bdi>{user}</bdi>" in html


async def test_context_comes_with_the_hit(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "Who feeds the cat?", "Nobody", "So I bought a machine for it")
    html = await page_text(browser, "/search", q="Who feeds the cat?", user=user, k="1", after="1")
    assert re.search(r'class="itself".*Who feeds the cat\?', html)
    assert "Nobody" in html
    assert "machine" not in html


async def test_hits_are_sent_as_they_come() -> None:
    more = asyncio.Event()

    async def search(_: pb.SearchRequest, context: Any) -> AsyncIterator[pb.SearchResponse]:
        yield pb.SearchResponse(hits=[pb.Hit(memory=memory_pb2.Memory(content="the first"), rank_score=0.5)])
        await more.wait()
        yield pb.SearchResponse(hits=[pb.Hit(memory=memory_pb2.Memory(content="the second"), rank_score=0.4)])
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the engine went away")

    service = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(
        search,
        request_deserializer=pb.SearchRequest.FromString,
        response_serializer=pb.SearchResponse.SerializeToString,
    )
    service.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Search": handler}),))
    port = service.add_insecure_port("127.0.0.1:0")
    await service.start()
    async with (
        open_console(f"127.0.0.1:{port}") as browser,
        browser.stream("GET", "/search", params={"q": "x", "user": "u"}) as answer,
    ):
        parts, html = answer.aiter_text(), ""
        while "the first" not in html:
            html += await anext(parts)
        assert "the second" not in html
        more.set()
        html = "".join([part async for part in parts])
    assert "the second" in html
    assert "UNAVAILABLE: the engine went away" in html
    assert html.rstrip().endswith("</html>")
    await service.stop(None)


async def test_text_of_memories_is_data(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    request = store_request(user, MARKUP, session=MARKUP)
    request.labels.append(MARKUP[:60])
    request.metadata[MARKUP[:60]] = MARKUP
    [id_] = [(await stub.Store(request, timeout=TIMEOUT)).id]
    for path, query in [
        ("/search", {"q": MARKUP, "user": user, "after": "1"}),
        ("/read", {"user": user, "session": MARKUP}),
        ("/memory", {"user": user, "id": id_}),
        ("/map", {"user": user}),
        ("/delete", {"user": user, "id": id_}),
        ("/store", {"user": MARKUP, "stored": MARKUP, "content": MARKUP}),
    ]:
        response = await browser.get(path, params=query)
        assert response.status_code == 200
        assert "&lt;script&gt;" in response.text, path
        assert "<script>" not in response.text, path
        assert "<img" not in response.text, path
        assert "default-src 'self'" in response.headers["content-security-policy"]


async def test_a_session_is_read_in_order_around_a_hit(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    ids = await store_messages(stub, user, *[f"turn {number:02}" for number in range(50)])
    await store_messages(stub, user, "elsewhere", session="s2")
    at = (START + timedelta(minutes=25)).isoformat()

    async def turns(address: str, **query: Any) -> tuple[list[int], dict[str, str]]:
        html = await page_text(browser, address, **query) if query else (await browser.get(address)).text
        assert "elsewhere" not in html
        links = {way: link.replace("&amp;", "&") for link, way in re.findall(r'<a href="([^"]+)" rel="(\w+)"', html)}
        return [int(one) for one in re.findall(r"turn (\d\d)", html)], links

    around, links = await turns("/read", user=user, session="s1", at=at, id=ids[25])
    assert around == list(range(5, 45))
    earlier, back = await turns(links["prev"])
    assert earlier == list(range(5))
    later, _ = await turns(links["next"])
    assert later == list(range(45, 50))
    again, _ = await turns(back["next"])
    assert 5 in again
    html = await page_text(browser, "/read", user=user, session="s1", at=at, id=ids[25])
    assert html.index("turn 24") < html.index('aria-current="true"') < html.index("turn 25")


async def test_the_map_has_a_point_for_each_memory(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    assert "Nothing is stored for this user" in await page_text(browser, "/map", user=user)
    await store_messages(stub, user, "one alone")
    assert (await page_text(browser, "/map", user=user)).count("<circle cx=") == 1
    await store_messages(stub, user, "tomatoes and basil", "basil and tomatoes", "the p99 latency alarm", session="s2")
    html = await page_text(browser, "/map", user=user)
    assert html.count("<circle cx=") == 4
    assert re.search(r'class="s0" data-session="s2"', html)
    assert re.search(r'class="s1" data-session="s1"', html)
    assert (await page_text(browser, "/map", user=user, session="s1")).count("<circle cx=") == 1


async def test_the_console_has_the_rights_of_its_token(
    settings: Settings, stub: Stub, user: str, tmp_path: Path
) -> None:
    await store_messages(stub, user, "mine alone")
    key, entry = api_key("looker", [user], "read")
    file = tmp_path / "keys.toml"
    file.write_text(entry)
    async with server_with_auth(settings, api_keys=file) as server:
        client.use(client.Credentials(token=key))
        try:
            async with open_console(server.address) as browser:
                assert "mine alone" in await page_text(browser, "/search", q="mine", user=user)
                assert "PERMISSION_DENIED" in await page_text(browser, "/search", q="mine", user="someone else")
                assert "PERMISSION_DENIED" in await page_text(browser, "/")
        finally:
            client.use(client.Credentials())
