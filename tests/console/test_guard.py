"""Access control of the console: host names, origins, the login key and its sessions, and security headers."""

import asyncio
import html
import re
import signal
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from memory_service.cli.app import app
from memory_service.cli.client import channel_to
from memory_service.console.guard import is_loopback
from memory_service.console.serving import serving
from memory_service.rpc.server import RpcServer
from tests.support.server_process import COMMAND, environment

KEY = "a key of thirty-two characters, é"
FORM = {"user": "u"}
"""A form without content, so that no request stores anything."""


@pytest.fixture(scope="module")
async def url_with_key(server: RpcServer) -> AsyncIterator[str]:
    """The URL of a console with a key."""
    async with serving(server.address, channel_to, KEY) as url:
        yield url


# Every request goes over plain HTTP. Without this, each client would load the system's certificates.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def status(url: str, path: str, method: str = "GET", **headers: str) -> int:
    async with httpx.AsyncClient(verify=TLS) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            await client.request(method, url + path, headers=sent, data=FORM if method == "POST" else None)
        ).status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1", "", "[::1", "a@b:c"]
)
async def test_foreign_host_names_are_rejected(console_url: str, host: str) -> None:
    assert await status(console_url, "/", host=host) in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8080"])
async def test_loopback_host_names_are_accepted(console_url: str, host: str) -> None:
    assert await status(console_url, "/store", host=host) == 200


async def test_forms_of_other_sites_are_rejected(console_url: str) -> None:
    for path in ("/store", "/delete", "/login", "/logout"):
        assert await status(console_url, path, "POST") == 403
        assert await status(console_url, path, "POST", origin="http://evil.example") == 403
        assert await status(console_url, path, "POST", origin="null") == 403
        assert await status(console_url, path, "POST", origin=console_url.replace("127.0.0.1", "localhost")) == 403
        for site in ("cross-site", "same-site", "none"):
            assert await status(console_url, path, "POST", sec_fetch_site=site, origin=console_url) == 403
    assert await status(console_url, "/store", "POST", host="localhost", origin="localhost") == 403
    assert await status(console_url, "/store", "POST", sec_fetch_site="same-origin") == 400
    assert await status(console_url, "/store", "PUT", sec_fetch_site="same-origin") == 405


async def test_other_sites_may_link_to_pages_but_not_load_them(console_url: str) -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert await status(console_url, "/store", **link) == 200
    assert await status(console_url, "/store", **{**link, "sec_fetch_dest": "iframe"}) == 403
    assert await status(console_url, "/search?q=x", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403
    assert await status(console_url, "/static/console.js", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403


async def test_every_response_has_the_security_headers(console_url: str) -> None:
    async with httpx.AsyncClient(verify=TLS) as client:
        for path in ("/", "/nowhere", "/static/console.css", "/static/../app.py"):
            headers = (await client.get(console_url + path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"


async def test_nothing_is_shown_before_the_login(url_with_key: str) -> None:
    async with httpx.AsyncClient(verify=TLS, base_url=url_with_key, headers={"origin": url_with_key}) as client:
        for path in (
            "/",
            "/search?q=x&all_users=yes",
            "/read",
            "/memory",
            "/map",
            "/store",
            "/delete",
            "/suggestions",
            "/nowhere",
        ):
            response = await client.get(path)
            assert response.status_code == 303
            assert response.headers["location"].startswith("/login?next=%2F")
        assert (await client.post("/store", data=FORM)).headers["location"] == "/login"
        assert (await client.get("/static/console.css")).status_code == 200
        for path in ("/login", "/loginx", "/static/nowhere"):
            assert "127.0.0.1:" not in (await client.get(path)).text

        for wrong in ("", KEY[:-1], KEY + "x"):
            response = await client.post("/login", data={"key": wrong})
            assert response.status_code == 403
            assert "The key is wrong." in response.text
            assert "set-cookie" not in response.headers
        client.cookies.set("memory_console", "guessed")
        assert (await client.get("/")).status_code == 303
        client.cookies.clear()

        response = await client.post("/login", data={"key": KEY})
        assert response.status_code == 303
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie
        assert KEY not in cookie
        token = client.cookies["memory_console"]
        assert (await client.get("/store")).status_code == 200
        # A proxy may forward another host name. The cookie alone counts.
        assert (await client.get("/store", headers={"host": "console.example"})).status_code == 200

        await client.post("/logout")
        client.cookies.set("memory_console", token)
        assert (await client.get("/store")).status_code == 303


async def test_login_redirects_to_the_requested_page_and_to_no_other_host(url_with_key: str) -> None:
    target = "/search?q=a+b%26c&user=u"
    async with httpx.AsyncClient(verify=TLS, base_url=url_with_key, headers={"origin": url_with_key}) as client:
        login = await client.get((await client.get(target)).headers["location"])
        [escaped] = re.findall(r'name="next" value="([^"]*)"', login.text)
        following = html.unescape(escaped)
        assert (await client.post("/login", data={"key": KEY, "next": following})).headers["location"] == target
        for foreign in ("//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "evil", ""):
            location = (await client.post("/login", data={"key": KEY, "next": foreign})).headers["location"]
            at = urljoin(url_with_key, location)
            assert urlsplit(at).netloc == urlsplit(url_with_key).netloc
            assert "\\" not in location


async def test_wrong_keys_are_limited_to_ten_a_second(url_with_key: str) -> None:
    async with httpx.AsyncClient(verify=TLS, base_url=url_with_key, headers={"origin": url_with_key}) as client:
        started = time.monotonic()
        responses = await asyncio.gather(*(client.post("/login", data={"key": f"guess {n}"}) for n in range(40)))
        assert time.monotonic() - started >= 1
        codes = [one.status_code for one in responses]
        assert codes.count(403) == 10
        assert codes.count(429) == 30
        assert (await client.post("/login", data={"key": KEY})).status_code == 303


async def test_cookie_is_secure_behind_tls(url_with_key: str) -> None:
    async with httpx.AsyncClient(verify=TLS, base_url=url_with_key) as client:
        headers = {"origin": "https://console.example", "host": "console.example"}
        response = await client.post("/login", data={"key": KEY}, headers=headers)
    assert response.status_code == 303
    assert "; secure" in response.headers["set-cookie"].lower()


def test_loopback_names() -> None:
    assert all(is_loopback(one) for one in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(one) for one in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--listen", "0.0.0.0:0"], "MEMORY_CONSOLE_KEY: other machines can reach 0.0.0.0, so the console needs a key"),
        (["--listen", "0.0.0.0:0", "--admin-key", "short"], "MEMORY_CONSOLE_KEY: the key has 5 characters and needs"),
        (["--listen", "nowhere"], "'nowhere' has no port"),
    ],
)
def test_command_rejects_unsafe_or_invalid_settings(arguments: list[str], error: str) -> None:
    result = CliRunner().invoke(app, ["console", *arguments], env={"MEMORY_CONSOLE_KEY": None, "COLUMNS": "200"})
    assert result.exit_code == 1
    assert error in " ".join(result.stderr.split())


async def test_command_serves_until_a_signal(server: RpcServer) -> None:
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
