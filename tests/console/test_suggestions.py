"""Suggestions of users and sessions, from the newest memories."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from memory_service.cli import client
from memory_service.console import suggestions
from memory_service.settings import Settings
from tests.support.api import Stub
from tests.support.console_pages import NEWEST, console_client, store_messages
from tests.support.credentials import api_key, server_with_auth


async def test_sessions_of_a_user_are_suggested_newest_first(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "older", session="s1")
    await store_messages(stub, user, "oldest", "newest", session="s2")
    await store_messages(stub, user, "no session", session="")
    answer = (await http.get("/suggestions", params={"user": user})).json()
    assert answer == {"values": ["s2", "s1"], "note": "Suggestions: all sessions."}
    assert (await http.get("/suggestions", params={"user": "nobody"})).json()["values"] == []


async def test_suggestions_say_how_many_memories_they_cover(
    http: httpx.AsyncClient, stub: Stub, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "_PAGE_SIZE", 2)
    await store_messages(stub, user, "oldest", session="s1")
    await store_messages(stub, user, "one", "two", "three", session="s2")
    answer = (await http.get("/suggestions", params={"user": user})).json()
    assert answer == {"values": ["s2"], "note": "Suggestions: from the newest 2 memories."}


@pytest.fixture
async def restricted(settings: Settings, user: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A console whose key may read the memories of one user only."""
    key, entry = api_key("reader", [user], "read")
    file = tmp_path / "keys.toml"
    file.write_text(entry)
    async with server_with_auth(settings, api_keys=file) as server:
        client.use(client.Credentials(token=key))
        try:
            async with console_client(server.address) as http:
                yield http
        finally:
            client.use(client.Credentials())


async def test_users_are_suggested_only_to_callers_that_may_list_them(
    http: httpx.AsyncClient, restricted: httpx.AsyncClient, stub: Stub, user: str
) -> None:
    await store_messages(stub, user, "message", start=NEWEST)
    assert user in (await http.get("/suggestions")).json()["values"]
    answer = (await restricted.get("/suggestions")).json()
    assert answer == {"values": [], "note": "No suggestions: the service does not list users (PERMISSION_DENIED)."}
    assert (await restricted.get("/suggestions", params={"user": user})).json()["values"] == ["s1"]


async def test_other_sites_cannot_read_suggestions(http: httpx.AsyncClient) -> None:
    response = await http.get("/suggestions", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"})
    assert response.status_code == 403
    assert (await http.get("/suggestions")).headers["x-content-type-options"] == "nosniff"
