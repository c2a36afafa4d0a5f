"""Whom the console lets in, and which requests it takes for its own pages'."""

import asyncio
import html
import re
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from memory_service.cli.client import channel_to
from memory_service.console.guard import is_loopback
from memory_service.console.serving import serving
from memory_service.rpc.server import RpcServer
from tests.support.server_process import COMMAND, environment, run_cli

KEY = "a key of thirty-two characters, é"
FORM = {"user": "u"}  # it lacks the content: nothing is stored


@pytest.fixture(scope="module")
async def url(server: RpcServer) -> AsyncIterator[str]:
    async with serving(server.address, channel_to) as url:
        yield url


@pytest.fixture(scope="module")
async def locked(server: RpcServer) -> AsyncIterator[str]:
    async with serving(server.address, channel_to, KEY) as url:
        yield url


async def status(url: str, path: str, method: str = "GET", **headers: str) -> int:
    async with httpx.AsyncClient() as browser:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            await browser.request(method, url + path, headers=shown, data=FORM if method == "POST" else None)
        ).status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1", "", "[::1", "a@b:c"]
)
async def test_other_names_than_this_machines_are_refused(url: str, host: str) -> None:
    assert await status(url, "/", host=host) in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8080"])
async def test_this_machines_names_are_well(url: str, host: str) -> None:
    assert await status(url, "/store", host=host) == 200


async def test_forms_of_other_sites_are_refused(url: str) -> None:
    for path in ("/store", "/delete", "/login", "/logout"):
        assert await status(url, path, "POST") == 403
        assert await status(url, path, "POST", origin="http://evil.example") == 403
        assert await status(url, path, "POST", origin="null") == 403
        assert await status(url, path, "POST", origin=url.replace("127.0.0.1", "localhost")) == 403
        for site in ("cross-site", "same-site", "none"):
            assert await status(url, path, "POST", sec_fetch_site=site, origin=url) == 403
    assert await status(url, "/store", "POST", host="localhost", origin="localhost") == 403
    assert await status(url, "/store", "POST", sec_fetch_site="same-origin") == 400
    assert await status(url, "/store", "PUT", sec_fetch_site="same-origin") == 405


async def test_other_sites_may_link_but_not_load(url: str) -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert await status(url, "/store", **link) == 200
    assert await status(url, "/store", **{**link, "sec_fetch_dest": "iframe"}) == 403
    assert await status(url, "/search?q=x", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403
    assert await status(url, "/static/console.js", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403


async def test_every_answer_has_the_headers(url: str) -> None:
    async with httpx.AsyncClient() as browser:
        for path in ("/", "/nowhere", "/static/console.css", "/static/../app.py"):
            headers = (await browser.get(url + path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"


async def test_nothing_is_shown_before_the_key(locked: str) -> None:
    async with httpx.AsyncClient(base_url=locked, headers={"origin": locked}) as browser:
        for path in ("/", "/search?q=x&all_users=yes", "/read", "/memory", "/map", "/store", "/delete", "/nowhere"):
            answer = await browser.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=%2F")
        assert (await browser.post("/store", data=FORM)).headers["location"] == "/login"
        assert (await browser.get("/static/console.css")).status_code == 200
        for path in ("/login", "/loginx", "/static/nowhere"):
            assert "127.0.0.1:" not in (await browser.get(path)).text

        for wrong in ("", KEY[:-1], KEY + "x"):
            answer = await browser.post("/login", data={"key": wrong})
            assert answer.status_code == 403
            assert "That is not the key." in answer.text
            assert "set-cookie" not in answer.headers
        browser.cookies.set("memory_console", "guessed")
        assert (await browser.get("/")).status_code == 303
        browser.cookies.clear()

        answer = await browser.post("/login", data={"key": KEY})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie
        assert KEY not in cookie
        kept = browser.cookies["memory_console"]
        assert (await browser.get("/store")).status_code == 200
        # Behind a proxy, under its own name: the cookie is what counts.
        assert (await browser.get("/store", headers={"host": "console.example"})).status_code == 200

        await browser.post("/logout")
        browser.cookies.set("memory_console", kept)
        assert (await browser.get("/store")).status_code == 303


async def test_the_key_leads_to_the_page_that_was_asked_for_and_to_no_other_host(locked: str) -> None:
    asked = "/search?q=a+b%26c&user=u"
    async with httpx.AsyncClient(base_url=locked, headers={"origin": locked}) as browser:
        shown = await browser.get((await browser.get(asked)).headers["location"])
        [kept] = re.findall(r'name="next" value="([^"]*)"', shown.text)
        sent = html.unescape(kept)
        assert (await browser.post("/login", data={"key": KEY, "next": sent})).headers["location"] == asked
        for wanted in ("//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "evil", ""):
            location = (await browser.post("/login", data={"key": KEY, "next": wanted})).headers["location"]
            at = urljoin(locked, location)
            assert urlsplit(at).netloc == urlsplit(locked).netloc
            assert "\\" not in location


async def test_keys_cannot_be_tried_fast(locked: str) -> None:
    async with httpx.AsyncClient(base_url=locked, headers={"origin": locked}) as browser:
        started = time.monotonic()
        answers = await asyncio.gather(*(browser.post("/login", data={"key": f"guess {n}"}) for n in range(40)))
        assert time.monotonic() - started >= 1
        told = [one.status_code for one in answers]
        assert told.count(403) == 10
        assert told.count(429) == 30
        assert (await browser.post("/login", data={"key": KEY})).status_code == 303


async def test_the_cookie_is_for_tls_alone_behind_tls(locked: str) -> None:
    async with httpx.AsyncClient(base_url=locked) as browser:
        headers = {"origin": "https://console.example", "host": "console.example"}
        answer = await browser.post("/login", data={"key": KEY}, headers=headers)
    assert answer.status_code == 303
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_names_of_this_machine() -> None:
    assert all(is_loopback(one) for one in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(one) for one in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""))


async def test_the_command_wants_a_key_beyond_this_machine(server: RpcServer) -> None:
    refused = await asyncio.to_thread(run_cli, server.address, "console", "--listen", "0.0.0.0:0", status=1)
    assert "MEMORY_CONSOLE_KEY: beyond this machine (0.0.0.0)" in refused.stderr
    short = await asyncio.to_thread(
        run_cli, server.address, "console", "--listen", "0.0.0.0:0", "--admin-key", "short", status=1
    )
    assert "it has 5 characters and needs 16" in short.stderr
    nowhere = await asyncio.to_thread(run_cli, server.address, "console", "--listen", "nowhere", status=1)
    assert "'nowhere' has no port" in nowhere.stderr


async def test_the_command_serves_until_it_is_told_to_end(server: RpcServer) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("console", "--listen", "0.0.0.0:0"),
        env=environment(MEMORY_ADDRESS=server.address, MEMORY_CONSOLE_KEY=KEY),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        [port] = re.findall(r"http://0\.0\.0\.0:(\d+)", line)
        assert KEY not in line
        assert await status(f"http://127.0.0.1:{port}", "/") == 303
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) in {0, -signal.SIGTERM}
