"""Forms of the console: their fields, their errors, and what they store and delete, on the real service and engine."""

import asyncio
import re

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2

from tests.support.api import Stub, list_all
from tests.support.console_pages import get_page
from tests.support.scale import examples

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
    "older",
    "colour",
    "content",
    "label",
    "metadata",
    "ttl",
    "request_id",
]


VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["-1", "0", "7", "0.5", "1e999", "nan", "30d", "hybrid", "text", "tool", "u", "test_none", "a=b"]),
    st.sampled_from(["2026-01-31", "0001-01-01T00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "\x00", "9" * 300]),
)


async def test_errors_link_to_their_fields(http: httpx.AsyncClient) -> None:
    invalid = await get_page(http, "/search", 400, q="x", user="u", k="many", until="tomorrow", role="nobody")
    for field in ("k", "until", "role"):
        assert f'<a href="#{field}">{field}</a>' in invalid
    rejected = await get_page(http, "/search", q="x", k="0")
    assert '<a href="#user">filter</a>: set user_id' in rejected
    assert '<a href="#k">k</a>: must be from 1 to' in rejected


async def test_store_and_delete_with_confirmation(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    form = await get_page(http, "/store", user=user)
    [request_id] = re.findall(r'name="request_id" value="(\w+)"', form)
    fields = {
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
    first = await http.post("/store", data=fields, follow_redirects=True)
    assert "Stored:" in first.text
    second = await http.post("/store", data=fields, follow_redirects=True)
    assert "This memory was already stored" in second.text
    [stored] = await list_all(stub, memory_pb2.MemoryFilter(user_id=user))
    assert (stored.content, stored.role) == ("line one\nline two", memory_pb2.ROLE_ASSISTANT)
    assert (list(stored.labels), dict(stored.metadata)) == (["ops", "urgent"], {"channel": "#ops"})
    assert stored.timestamp.ToJsonString() == "2026-01-31T10:00:00Z"
    assert stored.HasField("expire_time")

    confirmation = await get_page(http, "/delete", user=user, id=stored.id)
    assert "Delete this memory?" in confirmation
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 1
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', confirmation))
    deleted = await http.post("/delete", data=hidden, follow_redirects=True)
    assert "The memory was deleted." in deleted.text
    assert not await list_all(stub, memory_pb2.MemoryFilter(user_id=user))
    assert "The memory did not exist." in (await http.post("/delete", data=hidden, follow_redirects=True)).text
    assert "MEMORY_NOT_FOUND" not in await get_page(http, "/memory", 404, user=user, id=stored.id)


async def test_rejected_store_keeps_the_fields(http: httpx.AsyncClient, user: str) -> None:
    fields = {"user": user, "content": "my <words>", "metadata": "no pair", "ttl": "soon"}
    response = await http.post("/store", data=fields)
    assert response.status_code == 400
    assert "my &lt;words&gt;</textarea>" in response.text
    assert '<a href="#metadata">metadata</a>' in response.text
    assert '<a href="#ttl">ttl</a>' in response.text
    response = await http.post("/store", data={"user": user * 9, "content": "x"})
    assert response.status_code == 400
    assert '<a href="#user">user_id</a>' in response.text


@examples(15)
@given(fields=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
@example({"q": "x", "user": "u", "since": "0001-01-01T00:00+14:00"})
async def test_any_field_values_get_a_page(http: httpx.AsyncClient, fields: dict[str, str]) -> None:
    paths = ("/", "/search", "/read", "/memory", "/map", "/store", "/delete", "/suggestions")
    responses = await asyncio.gather(*(http.get(path, params=fields) for path in paths))
    for path, response in zip(paths, responses, strict=True):
        assert response.status_code < 500, (path, response.text)
        assert response.text.rstrip().endswith("}" if path == "/suggestions" else "</html>")
    response = await http.post("/store", data={**fields, "index": "test_none"})
    assert response.status_code in {400, 404, 409}, response.text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("2026-01-31", "2026-01-31T00:00"),
        ("2026-01-31T10:15", "2026-01-31T10:15"),
        ("2026-01-31T10:15:30+02:00", "2026-01-31T08:15:30"),
        ("2026-01-31T10:15:30.123456Z", "2026-01-31T10:15:30.123"),
    ],
)
async def test_time_fields_show_times_of_every_iso_form_in_utc(
    http: httpx.AsyncClient, address: str, shown: str
) -> None:
    """Addresses from the time when these fields took any text still work."""
    for path, name in (("/search", "since"), ("/search", "until"), ("/read", "at"), ("/store", "at")):
        html = await get_page(http, path, **{name: address})
        assert re.search(rf'<label for="{name}">[\w ]+\(UTC\)</label>', html), path
        assert re.search(rf'id="{name}" name="{name}" type="datetime-local" [^>]*value="{re.escape(shown)}"', html)


async def test_invalid_time_in_an_address_is_reported(http: httpx.AsyncClient) -> None:
    html = await get_page(http, "/search", 400, q="x", user="u", since="last week")
    assert re.search(r'<a href="#since">since</a>: .*last week.*2026-01-31', html)
    assert "last week" in await get_page(http, "/read", 400, user="u", at="last week")


async def test_session_filter_keeps_all_values_of_an_address(http: httpx.AsyncClient) -> None:
    html = (await http.get("/search?user=u&session=a&session=b")).text
    assert re.search(r'<textarea id="session"[^>]*>\s*a\nb</textarea>', html)


async def test_too_long_body_is_rejected(http: httpx.AsyncClient, user: str) -> None:
    response = await http.post("/store", data={"user": user, "content": "x" * 2**21})
    assert response.status_code == 413
