"""Pages of the console in a browser: keyboard use, filters, suggestions, times, and changes."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page
from semantic_memory.v1 import memory_pb2

from tests.console.conftest import Screenshot
from tests.console.sample_sessions import store_sessions
from tests.support.api import TIMEOUT, Stub, list_all, store_request
from tests.support.console_pages import MARKUP, NEWEST, store_messages


async def test_search_and_read_in_context_by_keyboard(
    page: Page, stub: Stub, user: str, screenshot: Screenshot
) -> None:
    small_talk = [f"small talk, part {number}" for number in range(30)]
    await store_messages(stub, user, *small_talk[:15], "The canary deploys run on Fridays", *small_talk[15:])
    await page.goto("/")
    await screenshot("overview")

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
    await screenshot("search")

    await page.locator(".hit >> text=Read in context").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/read?*")
    current = page.locator("[aria-current=true].message")
    assert "canary deploys" in await current.inner_text()
    assert await current.evaluate(
        "one => { const r = one.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight }"
    )
    await screenshot("read", full_page=False)


async def test_bars_and_more_hits(page: Page, stub: Stub, user: str) -> None:
    await store_messages(stub, user, *[f"canary number {number}" for number in range(8)])
    await page.goto(f"/search?q=a+yellow+bird&user={user}")
    first = page.locator(".hit").first
    similarity = float(await first.locator("dd").first.inner_text())
    bar, filled = [await first.locator(one).bounding_box() for one in (".bar", ".bar rect")]
    assert bar is not None
    assert filled is not None
    assert 0 < similarity < 0.9
    assert abs(filled["width"] / bar["width"] - similarity) < 0.02
    assert await page.locator(".hit").count() == 5

    await page.get_by_role("link", name="More hits").click()
    await page.wait_for_url("**#hit-6")
    assert await page.locator(".hit").count() == 8
    # The first new hit is in view.
    assert await page.locator("#hit-6").evaluate("one => one.getBoundingClientRect().top < innerHeight")


@pytest.mark.parametrize("page", ["small"], indirect=True)
async def test_hit_shows_its_scores_and_context(page: Page, stub: Stub, screenshot: Screenshot) -> None:
    await store_sessions(stub, "bob", 15)
    options = "mode=hybrid&recency=365d&before=1&after=1&until=2026-01-31T00:00"
    await page.goto(f"/search?q=What+do+slugs+like+to+eat%3F&user=bob&{options}")
    hit = page.locator(".hit").first
    assert await hit.locator("dt").all_inner_texts() == ["similarity", "recency", "text score"]
    assert await hit.locator(".bar").count() == 2
    assert "slugs" in await hit.locator(".is-hit").inner_text()
    assert await hit.locator(".context li").count() == 2
    await screenshot("console-search", full_page=False)


async def test_filters_and_their_errors(page: Page, stub: Stub, user: str, screenshot: Screenshot) -> None:
    await store_messages(stub, user, "one canary", session="s1")
    await store_messages(stub, user, "another canary", session="s2")
    await page.goto(f"/search?user={user}")
    assert await page.evaluate("document.activeElement.id") == "q"
    await page.keyboard.type("canary")
    await page.click("summary")
    # Suggestions come from this user's memories.
    await page.locator("select[data-adds-to=session]").select_option("s2")
    await page.locator("select[data-adds-to=session] + button").click()
    assert await page.get_by_label("Only these sessions", exact=True).input_value() == "s2"
    assert await page.locator("#session-hint .note").inner_text() == "Suggestions: all sessions."
    await screenshot("filters")
    await page.get_by_label("hybrid", exact=True).check()
    await page.get_by_label("Maximum hits").fill("0")
    await page.keyboard.press("Enter")
    # The error links to its field, and opens the section that hides it.
    await page.click(".problem a >> text=k")
    assert await page.evaluate("document.activeElement.id") == "k"
    await page.keyboard.type("9")
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("9")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".hit")
    assert await page.locator(".hit").count() == 1
    assert await page.locator(".used li").all_inner_texts() == ["mode hybrid", "session s2", "k 9"]


async def test_users_and_sessions_are_suggested(page: Page, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "one", session="s1", start=NEWEST)
    await store_messages(stub, user, "two", session="s2", start=NEWEST + timedelta(seconds=1))
    await page.goto("/read")
    await page.wait_for_selector(f"#user-list option[value={user}]", state="attached")
    await page.keyboard.type(user)
    await page.get_by_label("Session").focus()
    await page.wait_for_selector("#session-list option", state="attached")
    assert await page.locator("#session-list option").evaluate_all("all => all.map((one) => one.value)") == ["s2", "s1"]
    assert "Suggestions: all sessions." in await page.locator("#session-hint").inner_text()


async def test_times_are_entered_in_time_fields(page: Page, stub: Stub, user: str) -> None:
    await store_messages(stub, user, "first canary", "second canary", "third canary")
    # An address from the time when the field took any text, with seconds and an offset.
    await page.goto(f"/search?user={user}&q=canary&since=2026-01-01T02:00:30%2B02:00")
    assert await page.locator(".hit").count() == 2
    await page.click("summary")
    start, end = page.get_by_label("From (UTC)"), page.get_by_label("Until (UTC)")
    assert await start.input_value() == "2026-01-01T00:00:30"
    await end.fill("2026-01-01T00:02")
    await page.locator("form.search").get_by_role("button", name="Search").click()
    await page.wait_for_url("**until=*")
    assert "second canary" in await page.locator(".hit").inner_text()
    assert await page.locator(".used li").all_inner_texts() == ["since 2026-01-01T00:00:30", "until 2026-01-01T00:02"]


async def test_store_and_delete(page: Page, stub: Stub, user: str, screenshot: Screenshot) -> None:
    await page.goto("/store")
    await page.get_by_label("Content").fill(MARKUP)
    await page.get_by_label("User", exact=True).fill(user)
    await page.click("text=Labels, time, metadata")
    await page.get_by_label("Labels").fill("ops\nurgent")
    await page.get_by_label("Written at (UTC)").fill("2026-01-31T10:30")
    await screenshot("store")
    await page.click("main form > p button")
    await page.wait_for_selector(".notice")
    await page.click(".notice a")
    await page.wait_for_url("**/memory?*")
    assert MARKUP in await page.inner_text("article")
    await page.click("text=Delete …")
    await page.wait_for_selector("button.danger")
    await screenshot("delete")
    [stored] = await list_all(stub, memory_pb2.MemoryFilter(user_id=user))
    assert stored.timestamp.ToJsonString() == "2026-01-31T10:30:00Z"
    await page.click("button.danger")
    await page.wait_for_selector("text=The memory was deleted.")
    assert not await list_all(stub, memory_pb2.MemoryFilter(user_id=user))


async def test_form_of_another_site_deletes_nothing(chromium: Browser, console_url: str, stub: Stub, user: str) -> None:
    id_ = (await stub.Store(store_request(user, "stays"), timeout=TIMEOUT)).id
    context = await chromium.new_context()
    page = await context.new_page()
    inputs = f'<input name="user" value="{user}"><input name="id" value="{id_}">'
    form = f'<form method="post" action="{console_url}/delete">{inputs}<button>win</button></form>'

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closing early would reset the connection. A browser also opens connections that it does not use.
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.0 200 OK\r\ncontent-type: text/html\r\n\r\n{form}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as other_site:
        await page.goto(f"http://localhost:{other_site.sockets[0].getsockname()[1]}/")
        await page.click("button")
        await page.wait_for_url(f"{console_url}/delete")
        assert "came from another site" in await page.inner_text("body")
    await context.close()
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 1
