"""The console in a real browser: Debian's chromium, headless.

With MEMORY_CONSOLE_SHOTS=DIRECTORY it leaves pictures there, to be looked at.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright
from semantic_memory.v1 import memory_pb2

from memory_service.cli.client import channel_to
from memory_service.console.serving import serving
from memory_service.rpc.server import RpcServer
from tests.support.api import TIMEOUT, Stub, list_all, store_request
from tests.support.console_pages import MARKUP, store_messages

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Without these it asks its maker's hosts at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1200, "height": 850}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
    "dark": {"viewport": {"width": 1200, "height": 850}, "color_scheme": "dark"},
}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NOT TESTED IN A BROWSER: there is no chromium here (apt-get install chromium)"
)


@pytest.fixture(scope="module")
async def url(server: RpcServer) -> AsyncIterator[str]:
    async with serving(server.address, channel_to) as url:
        yield url


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(params=LOOKS)
async def page(chromium: Browser, url: str, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page at one of the widths; whatever it asks for lies on the console, and nothing in it goes wrong."""
    context = await chromium.new_context(base_url=url, **LOOKS[request.param])
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT * 1000)
    wrong: list[str] = []
    page.on("request", lambda one: wrong.extend(() if one.url.startswith(f"{url}/") else [f"asked for {one.url}"]))
    page.on("console", lambda one: wrong.extend([one.text] if one.type in {"error", "warning"} else ()))
    page.on("pageerror", lambda one: wrong.append(str(one)))
    page.on("dialog", lambda one: wrong.append(f"a dialog: {one.message}"))
    yield page
    await context.close()
    assert not wrong


async def shot(page: Page, name: str, request: pytest.FixtureRequest) -> None:
    """No page is wider than its window; a picture of it where one is wanted."""
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    if wanted := os.environ.get("MEMORY_CONSOLE_SHOTS"):
        look = request.node.callspec.params["page"]
        await page.screenshot(path=Path(wanted) / f"{name}-{look}.png", full_page=name != "read")


async def test_from_a_search_to_the_session_by_keyboard(
    page: Page, stub: Stub, user: str, request: pytest.FixtureRequest
) -> None:
    said = [f"small talk, part {number}" for number in range(30)]
    await store_messages(stub, user, *said[:15], "The canary deploys run on Fridays", *said[15:])
    await page.goto("/")
    await shot(page, "overview", request)

    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "q"
    await page.keyboard.type("When do canaries deploy?")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "user"
    await page.keyboard.type(user)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".summary")
    # Empty fields stay out of the address.
    assert set(await page.evaluate("[...new URLSearchParams(location.search).keys()]")) == {"q", "user", "mode"}
    assert "canary deploys" in (await page.locator(".hit").first.inner_text())
    await shot(page, "search", request)

    await page.locator(".hit >> text=Read around it").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/read?*")
    turn = page.locator("[aria-current=true].turn")
    assert "canary deploys" in await turn.inner_text()
    assert await turn.evaluate(
        "one => { const r = one.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight }"
    )
    await shot(page, "read", request)


async def test_filters_are_found_and_told(page: Page, stub: Stub, user: str, request: pytest.FixtureRequest) -> None:
    await store_messages(stub, user, "one canary", session="s1")
    await store_messages(stub, user, "another canary", session="s2")
    await page.goto(f"/search?user={user}")
    assert await page.evaluate("document.activeElement.id") == "q"
    await page.keyboard.type("canary")
    await page.click("summary")
    await shot(page, "filters", request)
    await page.get_by_label("Only these sessions").fill("s2")
    await page.get_by_label("hybrid", exact=True).check()
    await page.get_by_label("Most hits").fill("0")
    await page.keyboard.press("Enter")
    # What is wrong leads to the field, though that is folded away.
    await page.click(".problem a >> text=k")
    assert await page.evaluate("document.activeElement.id") == "k"
    await page.keyboard.type("9")
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("9")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".hit")
    assert await page.locator(".hit").count() == 1
    assert await page.locator(".used li").all_inner_texts() == ["mode hybrid", "session s2", "k 9"]


async def test_the_map_is_read_by_pointing_and_by_arrow_keys(
    page: Page, stub: Stub, user: str, request: pytest.FixtureRequest
) -> None:
    await store_messages(stub, user, "Tomatoes like sun", "Basil likes sun", "Water the tomatoes", session="garden")
    await store_messages(stub, user, "The p99 alarm went off", "Roll back the release", MARKUP, session="oncall")
    await page.goto(f"/map?user={user}")
    readout = page.locator("#readout .text")
    await page.locator("#map a[tabindex='0']").focus()
    met = {await readout.inner_text()}
    for key in ["ArrowLeft"] * 6 + ["ArrowDown"] * 6 + ["ArrowRight"] * 6 + ["ArrowUp"] * 6:
        await page.keyboard.press(key)
        met.add(await readout.inner_text())
        assert await page.locator("#map a[tabindex='0']").count() == 1
    assert len(met) >= 4

    circle = page.locator("#map a", has=page.locator("circle")).and_(page.get_by_label("Roll back the release"))
    await page.locator("#map").evaluate("one => one.scrollIntoView()")
    box = await circle.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    if page.viewport_size == LOOKS["phone"]["viewport"]:
        await page.touchscreen.tap(*middle)
    else:
        await page.mouse.move(*middle)
    assert await readout.inner_text() == "Roll back the release"
    await page.locator(".legend a", has_text="garden").focus()
    assert await page.locator("#map .lit").count() == 3
    await shot(page, "map", request)
    await page.click("#readout a")
    await page.wait_for_url("**/memory?*")
    assert "Roll back the release" in await page.inner_text("article")


async def test_store_and_delete(page: Page, stub: Stub, user: str, request: pytest.FixtureRequest) -> None:
    await page.goto("/store")
    await page.get_by_label("What was said").fill(MARKUP)
    await page.get_by_label("User", exact=True).fill(user)
    await page.click("text=Labels, time, metadata")
    await page.get_by_label("Labels").fill("ops\nurgent")
    await shot(page, "store", request)
    await page.click("main button")
    await page.wait_for_selector(".notice")
    await page.click(".notice a")
    await page.wait_for_url("**/memory?*")
    assert MARKUP in await page.inner_text("article")
    await page.click("text=Delete …")
    await page.wait_for_selector("button.danger")
    await shot(page, "delete", request)
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 1
    await page.click("button.danger")
    await page.wait_for_selector("text=It is deleted.")
    assert not await list_all(stub, memory_pb2.MemoryFilter(user_id=user))


async def test_another_sites_form_deletes_nothing(chromium: Browser, url: str, stub: Stub, user: str) -> None:
    id_ = (await stub.Store(store_request(user, "stays"), timeout=TIMEOUT)).id
    context = await chromium.new_context()
    page = await context.new_page()
    form = (
        f'<form method="post" action="{url}/delete"><input name="user" value="{user}"><input name="id" value="{id_}">'
    )

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closing before all is read would reset the connection; a browser opens some that it does not use.
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.0 200 OK\r\ncontent-type: text/html\r\n\r\n{form}<button>win</button></form>".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as elsewhere:
        await page.goto(f"http://localhost:{elsewhere.sockets[0].getsockname()[1]}/")
        await page.click("button")
        await page.wait_for_url(f"{url}/delete")
        assert "sent by another site" in await page.inner_text("body")
    await context.close()
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 1
