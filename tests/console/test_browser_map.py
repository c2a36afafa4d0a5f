"""The map in a browser: pointing, keyboard, zoom, legend, and its text alternative."""

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.conftest import DEVICES, Screenshot
from tests.console.sample_sessions import store_sessions
from tests.support.api import Stub
from tests.support.console_pages import MARKUP, store_messages

SESSIONS = 250


@pytest.fixture(scope="module")
async def busy_user(stub: Stub) -> str:
    """A user with 250 sessions, and with a name for screenshots."""
    await store_sessions(stub, "dana", SESSIONS)
    return "dana"


async def view_box(page: Page) -> list[float]:
    return [float(one) for one in str(await page.locator("#map").get_attribute("viewBox")).split()]


async def test_map_is_read_by_pointing_and_by_arrow_keys(
    page: Page, stub: Stub, user: str, screenshot: Screenshot
) -> None:
    await store_messages(stub, user, "Tomatoes like sun", "Basil likes sun", "Water the tomatoes", session="garden")
    await store_messages(stub, user, "The p99 alarm fired", "Roll back the release", MARKUP, session="on-call")
    await page.goto(f"/map?user={user}&colour=session")
    readout = page.locator("#readout .text")
    await page.locator("#map a[tabindex='0']").focus()
    visited = {await readout.inner_text()}
    for key in ["ArrowLeft"] * 6 + ["ArrowDown"] * 6 + ["ArrowRight"] * 6 + ["ArrowUp"] * 6:
        await page.keyboard.press(key)
        visited.add(await readout.inner_text())
        assert await page.locator("#map a[tabindex='0']").count() == 1
    assert len(visited) >= 4

    # A tap on the memory that is already shown would open it.
    shown = await readout.inner_text()
    target = next(one for one in ("Roll back the release", "The p99 alarm fired") if one != shown)
    point = page.locator("#map").get_by_role("link", name=target)
    await page.locator("#map").evaluate("one => one.scrollIntoView()")
    box = await point.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    if page.viewport_size == DEVICES["phone"]["viewport"]:
        await page.touchscreen.tap(*middle)
    else:
        await page.mouse.move(*middle)
    assert await readout.inner_text() == target
    await page.locator(".legend a", has_text="garden").focus()
    assert await page.locator("#map g.lit a").count() == 3
    await screenshot("map-small")
    await page.click("#readout a")
    await page.wait_for_url("**/memory?*")
    assert target in await page.inner_text("article")


async def test_map_is_one_tab_stop_that_shows_where_it_is(page: Page, busy_user: str) -> None:
    await page.goto(f"/map?user={busy_user}")
    await page.locator("form button", has_text="Show").focus()
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('#map') !== null")
    assert await page.locator("#map #ring").count() == 1
    first = await page.locator("#readout .text").inner_text()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowDown")
    assert await page.locator("#readout .text").inner_text() != first
    address = await page.evaluate("document.activeElement.getAttribute('href')")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('#map') === null")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/memory?*")
    assert page.url.endswith(address)


async def test_map_zooms_and_pans(page: Page, busy_user: str) -> None:
    await page.goto(f"/map?user={busy_user}")
    full = await view_box(page)
    size = "one => one.querySelector('use').getBoundingClientRect().width"
    before = await page.locator("#map").evaluate(size)
    await page.get_by_role("button", name="Zoom in").click()
    zoomed = await view_box(page)
    assert zoomed[2] == pytest.approx(full[2] / 1.5)
    # Points keep their size, so that crowded ones come apart.
    assert await page.locator("#map").evaluate(size) == pytest.approx(before, rel=0.05)
    await page.get_by_role("button", name="Reset").click()
    assert await view_box(page) == full

    # By keyboard: zoom at a point, which stays in view, and so does each next one.
    await page.locator("#map a[tabindex='0']").focus()
    for key in ["+"] * 6 + ["ArrowLeft"] * 4 + ["ArrowUp"] * 4:
        await page.keyboard.press(key)
        x, y = await page.evaluate("(({ e, f }) => [e, f])(document.activeElement.transform.baseVal[0].matrix)")
        left, top, width, _ = await view_box(page)
        assert left <= x <= left + width
        assert top <= y <= top + width
    await page.keyboard.press("0")
    assert await view_box(page) == full


@pytest.mark.parametrize("page", ["desktop"], indirect=True)
async def test_mouse_zooms_at_the_pointer_and_drags(page: Page, busy_user: str) -> None:
    await page.goto(f"/map?user={busy_user}")
    await page.locator("#map").evaluate("one => one.scrollIntoView()")
    box = await page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
    await page.mouse.move(x, y)
    scroll = await page.evaluate("scrollY")
    await page.keyboard.down("Control")
    await page.mouse.wheel(0, -400)
    await page.keyboard.up("Control")
    zoomed = await view_box(page)
    assert zoomed[2] < 1
    # The point under the mouse keeps its place.
    assert zoomed[0] + zoomed[2] / 4 == pytest.approx(-1.06 + 2.12 / 4, abs=0.01)
    assert await page.evaluate("scrollY") == scroll

    await page.mouse.down()
    await page.mouse.move(x - 60, y - 40, steps=4)
    await page.mouse.up()
    moved = await view_box(page)
    assert moved[2] == zoomed[2]
    assert moved[0] - zoomed[0] == pytest.approx(60 / box["width"] * zoomed[2], rel=0.2)
    assert moved[1] - zoomed[1] == pytest.approx(40 / box["height"] * zoomed[2], rel=0.2)
    # A drag opens nothing.
    assert "/map?" in page.url


@pytest.mark.parametrize("page", ["phone"], indirect=True)
async def test_two_fingers_zoom(page: Page, busy_user: str) -> None:
    await page.goto(f"/map?user={busy_user}")
    await page.locator("#map").evaluate("one => one.scrollIntoView()")
    box = await page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = await page.context.new_cdp_session(page)

    async def send(kind: str, *distances: int) -> None:
        points = [{"x": x + distance, "y": y, "id": number} for number, distance in enumerate(distances)]
        await touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    await send("touchStart", -20, 20)
    for distance in (25, 30, 40, 50, 60):
        await send("touchMove", -distance, distance)
    await send("touchEnd")
    left, top, width, _ = await view_box(page)
    assert width < 1
    # The middle between the fingers stays in the middle.
    assert left + width / 2 == pytest.approx(0, abs=0.1)
    assert top + width / 2 == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("page", ["dark", "phone"], indirect=True)
async def test_map_of_250_sessions_is_readable(page: Page, busy_user: str, screenshot: Screenshot) -> None:
    await page.goto(f"/map?user={busy_user}&colour=session")
    assert await page.locator(".legend li").count() == 7
    assert (
        await page.locator(".legend li").last.inner_text() == f"7\n{SESSIONS - 6} other sessions\n{2 * (SESSIONS - 6)}"
    )
    await page.goto(f"/map?user={busy_user}")
    assert await page.locator("#map a").count() == 2 * SESSIONS
    assert await page.locator(".legend li").count() == 6
    fills = "all => new Set(all.map((one) => getComputedStyle(one).fill)).size"
    assert await page.locator(".legend svg").evaluate_all(fills) == 6
    assert await page.locator("#map > g").evaluate_all(fills) == 6
    shapes = "all => new Set(all.map((one) => one.getAttribute('href'))).size"
    assert await page.locator(".legend use").evaluate_all(shapes) == 6

    await page.locator(".legend a").first.hover()
    await expect(page.locator("#map g.lit use").first).to_have_css("fill-opacity", "0.85")
    await expect(page.locator("#map g:not(.lit) use").first).to_have_css("fill-opacity", "0.1")
    await page.locator("#map g[data-group='3'] a").first.hover()
    await page.evaluate("scrollTo(0, 0)")
    await screenshot("console-map" if page.viewport_size == DEVICES["dark"]["viewport"] else "map", full_page=False)


async def test_table_has_the_same_memories(page: Page, busy_user: str, screenshot: Screenshot) -> None:
    await page.goto(f"/map?user={busy_user}")
    await page.get_by_text("Show the memories as a table").click()
    rows = page.locator("tbody tr")
    assert await rows.count() == 2 * SESSIONS
    links = "all => all.map((one) => one.getAttribute('href')).sort()"
    assert await rows.locator("a").evaluate_all(links) == await page.locator("#map a").evaluate_all(links)
    await screenshot("map-table", full_page=False)


async def test_map_without_javascript_has_the_table_and_no_tab_stop(
    chromium: Browser, console_url: str, stub: Stub, user: str
) -> None:
    await store_messages(stub, user, "Tomatoes like sun", "Basil likes sun")
    options: dict[str, Any] = {**DEVICES["desktop"], "java_script_enabled": False}
    context = await chromium.new_context(base_url=console_url, **options)
    page = await context.new_page()
    await page.goto(f"/map?user={user}")
    assert await page.locator("#map a").count() == 2
    assert await page.locator("#map a:not([tabindex='-1'])").count() == 0
    assert not await page.get_by_role("button", name="Zoom in").is_visible()
    await page.get_by_text("Show the memories as a table").click()
    await page.get_by_role("cell", name="Basil likes sun").get_by_role("link").click()
    await page.wait_for_url("**/memory?*")
    await context.close()
