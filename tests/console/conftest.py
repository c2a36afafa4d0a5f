"""The console under test: its URL, an HTTP client, and pages in Debian's chromium, headless.

With MEMORY_CONSOLE_SHOTS=DIRECTORY the browser tests save screenshots there.
"""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright

from memory_service.cli.client import channel_to
from memory_service.console.serving import serving
from memory_service.rpc.server import RpcServer
from tests.support.api import TIMEOUT
from tests.support.console_pages import console_client

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Without these, chromium sends requests to its vendor's hosts at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1200, "height": 850}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
    "small": {"viewport": {"width": 1000, "height": 760}},
    "dark": {"viewport": {"width": 1000, "height": 1000}, "color_scheme": "dark"},
}
"""How a page is opened; a test chooses others by `pytest.mark.parametrize("page", ..., indirect=True)`."""


class Screenshot(Protocol):
    """Saves a screenshot: of the visible part only, or of the full page."""

    async def __call__(self, name: str, *, full_page: bool = True) -> None: ...


@pytest.fixture(scope="session")
async def console_url(server: RpcServer) -> AsyncIterator[str]:
    """The URL of a console without a key."""
    async with serving(server.address, channel_to) as url:
        yield url


@pytest.fixture(scope="session")
async def http(server: RpcServer) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of a console without a key."""
    async with console_client(server.address) as client:
        yield client


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("NOT TESTED IN A BROWSER: chromium is not installed (apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(params=["desktop", "phone"])
async def page(chromium: Browser, console_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page on each device. The test fails on a request to another host, and on an error or warning in the page."""
    context = await chromium.new_context(base_url=console_url, **DEVICES[request.param])
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT * 1000)
    errors: list[str] = []
    page.on(
        "request",
        lambda one: errors.extend(() if one.url.startswith(f"{console_url}/") else [f"request to {one.url}"]),
    )
    page.on("console", lambda one: errors.extend([one.text] if one.type in {"error", "warning"} else ()))
    page.on("pageerror", lambda one: errors.append(str(one)))
    page.on("dialog", lambda one: errors.append(f"dialog: {one.message}"))
    yield page
    await context.close()
    assert not errors


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest) -> Screenshot:
    """Assert that the page is no wider than its window, and save a screenshot if MEMORY_CONSOLE_SHOTS is set.

    Names that start with "console-" are pictures of docs/, and get no device."""
    device = request.node.callspec.params["page"]

    async def save(name: str, *, full_page: bool = True) -> None:
        assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        if directory := os.environ.get("MEMORY_CONSOLE_SHOTS"):
            path = Path(directory) / (f"{name}.png" if name.startswith("console-") else f"{name}-{device}.png")
            await page.screenshot(path=path, full_page=full_page)

    return save
