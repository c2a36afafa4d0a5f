"""A console of the service under test, an HTTP client for its pages, and memories to show on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from memory_service.cli.client import channel_to
from memory_service.console.serving import serving
from tests.support.api import TIMEOUT, Stub, store_request

START = datetime(2026, 1, 1, tzinfo=UTC)
NEWEST = datetime(9999, 12, 31, 23, tzinfo=UTC)
"""Later than the memories of other tests: users are suggested from the newest memories of all users."""
"""The time of the first message that `store_messages` stores."""

MARKUP = "<script>alert('owned')</script><img src=x onerror=alert(1)>"


@asynccontextmanager
async def console_client(address: str, key: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Serve a console of this service, and yield an HTTP client that sends the headers of a browser."""
    async with (
        serving(address, channel_to, key) as url,
        httpx.AsyncClient(base_url=url, timeout=TIMEOUT, headers={"origin": url}) as client,
    ):
        yield client


async def store_messages(
    stub: Stub, user: str, *contents: str, session: str = "s1", start: datetime = START
) -> list[str]:
    """Store the messages from `start` on, one minute apart, and return their ids."""
    ids = []
    for number, content in enumerate(contents):
        request = store_request(user, content, session)
        request.timestamp.FromDatetime(start + timedelta(minutes=number))
        ids.append((await stub.Store(request, timeout=TIMEOUT)).id)
    return ids


async def get_page(client: httpx.AsyncClient, path: str, status: int = 200, /, **query: Any) -> str:
    """Return the text of a page, and assert its status."""
    response = await client.get(path, params=query)
    assert response.status_code == status, response.text
    return response.text
