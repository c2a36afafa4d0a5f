"""What people fill in on the console's pages, and what it changes, on the real service and engine."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import example, given
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2

from memory_service.rpc.server import RpcServer
from tests.support.api import Stub, list_all
from tests.support.console_pages import open_console, page_text

NAMES = [
    "q",
    "user",
    "all_users",
    "session",
    "exclude_session",
    "role",
    "any_label",
    "all_label",
    "since",
    "until",
    "k",
    "min_score",
    "mode",
    "text_weight",
    "neighbors",
    "recency",
    "recency_weight",
    "diversity",
    "before",
    "after",
    "index",
    "id",
    "at",
    "earlier",
    "later",
    "content",
    "label",
    "metadata",
    "ttl",
    "request_id",
]


WRITTEN = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["-1", "0", "7", "0.5", "1e999", "nan", "30d", "hybrid", "text", "tool", "u", "test_none", "a=b"]),
    st.sampled_from(["2026-01-31", "0001-01-01T00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "\x00", "9" * 300]),
)


@pytest.fixture(scope="module")
async def browser(server: RpcServer) -> AsyncIterator[httpx.AsyncClient]:
    async with open_console(server.address) as browser:
        yield browser


async def test_what_is_wrong_is_told_by_field(browser: httpx.AsyncClient) -> None:
    unread = await page_text(browser, "/search", 400, q="x", user="u", k="many", until="tomorrow", role="nobody")
    for field in ("k", "until", "role"):
        assert f'<a href="#{field}">{field}</a>' in unread
    refused = await page_text(browser, "/search", q="x", k="0")
    assert '<a href="#user">filter</a>: name a user_id' in refused
    assert '<a href="#k">k</a>: must be greater' in refused


async def test_store_and_delete_behind_a_question(browser: httpx.AsyncClient, stub: Stub, user: str) -> None:
    form = await page_text(browser, "/store", user=user)
    [request_id] = re.findall(r'name="request_id" value="(\w+)"', form)
    filled = {
        "request_id": request_id,
        "user": user,
        "session": "s1",
        "role": "assistant",
        "content": "line one\r\nline two",
        "label": "ops\nurgent",
        "metadata": "channel = #ops",
        "at": "2026-01-31T10:00",
        "ttl": "24h",
    }
    first = await browser.post("/store", data=filled, follow_redirects=True)
    assert "Stored:" in first.text
    second = await browser.post("/store", data=filled, follow_redirects=True)
    assert "It was stored already" in second.text
    [stored] = await list_all(stub, memory_pb2.MemoryFilter(user_id=user))
    assert (stored.content, stored.role) == ("line one\nline two", memory_pb2.ROLE_ASSISTANT)
    assert (list(stored.labels), dict(stored.metadata)) == (["ops", "urgent"], {"channel": "#ops"})
    assert stored.timestamp.ToJsonString() == "2026-01-31T10:00:00Z"
    assert stored.HasField("expire_time")

    asked = await page_text(browser, "/delete", user=user, id=stored.id)
    assert "Delete this memory?" in asked
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 1
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked))
    done = await browser.post("/delete", data=sent, follow_redirects=True)
    assert "It is deleted." in done.text
    assert not await list_all(stub, memory_pb2.MemoryFilter(user_id=user))
    assert "It was gone already." in (await browser.post("/delete", data=sent, follow_redirects=True)).text
    assert "MEMORY_NOT_FOUND" not in await page_text(browser, "/memory", 404, user=user, id=stored.id)


async def test_a_refused_store_keeps_what_was_written(browser: httpx.AsyncClient, user: str) -> None:
    filled = {"user": user, "content": "kept <words>", "metadata": "no pair", "ttl": "soon"}
    answer = await browser.post("/store", data=filled)
    assert answer.status_code == 400
    assert "kept &lt;words&gt;</textarea>" in answer.text
    assert '<a href="#metadata">metadata</a>' in answer.text
    assert '<a href="#ttl">ttl</a>' in answer.text
    answer = await browser.post("/store", data={"user": user * 9, "content": "x"})
    assert answer.status_code == 400
    assert '<a href="#user">user_id</a>' in answer.text


@settings_of(max_examples=30)
@given(fields=st.dictionaries(st.sampled_from(NAMES), WRITTEN, max_size=8))
@example({"q": "x", "user": "u", "since": "0001-01-01T00:00+14:00"})
async def test_whatever_is_filled_in_gets_a_page(browser: httpx.AsyncClient, fields: dict[str, str]) -> None:
    for path in ("/", "/search", "/read", "/memory", "/map", "/store", "/delete"):
        answer = await browser.get(path, params=fields)
        assert answer.status_code < 500, (path, answer.text)
        assert answer.text.rstrip().endswith("</html>")
    answer = await browser.post("/store", data={**fields, "index": "test_none"})
    assert answer.status_code in {400, 404, 409}, answer.text


async def test_too_long_a_body_is_refused(browser: httpx.AsyncClient, user: str) -> None:
    answer = await browser.post("/store", data={"user": user, "content": "x" * 2**21})
    assert answer.status_code == 413
