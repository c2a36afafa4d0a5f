"""The overview, the pages that read memories, and rules for all pages, on the real service and engine."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from memory_service.cli import client
from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, store_request
from tests.support.console_pages import MARKUP, START, console_client, get_page, store_messages
from tests.support.credentials import api_key, server_with_auth


async def test_overview_shows_health_and_indexes(http: httpx.AsyncClient, settings: Settings) -> None:
    html = await get_page(http, "/")
    assert re.search(r"The service at .*\s+is ready", html)
    assert settings.index in html
    assert "all-minilm-l6-v2-int8" in html
    assert "HNSW, FLAT" in html


async def test_overview_shows_that_the_service_is_unavailable() -> None:
    async with console_client("127.0.0.1:1") as http:
        html = await get_page(http, "/")
    assert re.search(r"The service at .*\s+is unavailable", html)
    assert "memory-service serve" in html


async def test_text_of_memories_is_escaped(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
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
        response = await http.get(path, params=query)
        assert response.status_code == 200
        assert "&lt;script&gt;" in response.text, path
        assert "<script>" not in response.text, path
        assert "<img" not in response.text, path
        assert "default-src 'self'" in response.headers["content-security-policy"]


async def test_session_is_shown_in_order_around_a_memory(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    ids = await store_messages(stub, user, *[f"message {number:02}" for number in range(50)])
    await store_messages(stub, user, "another session", session="s2")
    at = (START + timedelta(minutes=25)).isoformat()

    async def numbers_and_links(address: str, **query: Any) -> tuple[list[int], dict[str, str]]:
        html = await get_page(http, address, **query) if query else (await http.get(address)).text
        assert "another session" not in html
        links = {rel: link.replace("&amp;", "&") for link, rel in re.findall(r'<a href="([^"]+)" rel="(\w+)"', html)}
        return [int(one) for one in re.findall(r"message (\d\d)", html)], links

    around, links = await numbers_and_links("/read", user=user, session="s1", at=at, id=ids[25])
    assert around == list(range(5, 45))
    earlier, back = await numbers_and_links(links["prev"])
    assert earlier == list(range(5))
    later, _ = await numbers_and_links(links["next"])
    assert later == list(range(45, 50))
    again, _ = await numbers_and_links(back["next"])
    assert 5 in again
    html = await get_page(http, "/read", user=user, session="s1", at=at, id=ids[25])
    assert html.index("message 24") < html.index('aria-current="true"') < html.index("message 25")


async def test_console_has_the_rights_of_its_token(settings: Settings, stub: Stub, user: str, tmp_path: Path) -> None:
    await store_messages(stub, user, "mine alone")
    key, entry = api_key("reader", [user], "read")
    file = tmp_path / "keys.toml"
    file.write_text(entry)
    async with server_with_auth(settings, api_keys=file) as server:
        client.use(client.Credentials(token=key))
        try:
            async with console_client(server.address) as http:
                assert "mine alone" in await get_page(http, "/search", q="mine", user=user)
                assert "PERMISSION_DENIED" in await get_page(http, "/search", q="mine", user="someone else")
                assert "PERMISSION_DENIED" in await get_page(http, "/")
        finally:
            client.use(client.Credentials())
