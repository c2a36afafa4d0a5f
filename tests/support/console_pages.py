"""A browser session with the console, and messages to show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from memory_service.cli.client import channel_to
from memory_service.console.serving import serving
from tests.support.api import TIMEOUT, Stub, store_request

START = datetime(2026, 1, 1, tzinfo=UTC)


MARKUP = "<script>alert('owned')</script><img src=x onerror=alert(1)>"


@asynccontextmanager
async def open_console(address: str, key: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Run the console for a service; yield an HTTP client that behaves like a browser."""
    async with (
        serving(address, channel_to, key) as url,
        httpx.AsyncClient(base_url=url, timeout=TIMEOUT, headers={"origin": url}) as browser,
    ):
        yield browser


async def store_messages(stub: Stub, user: str, *contents: str, session: str = "s1") -> list[str]:
    """Store these messages with timestamps a minute apart; return their ids."""
    ids = []
    for number, content in enumerate(contents):
        request = store_request(user, content, session)
        request.timestamp.FromDatetime(START + timedelta(minutes=number))
        ids.append((await stub.Store(request, timeout=TIMEOUT)).id)
    return ids


async def page_text(browser: httpx.AsyncClient, path: str, status: int = 200, **query: Any) -> str:
    response = await browser.get(path, params=query)
    assert response.status_code == status, response.text
    return response.text
