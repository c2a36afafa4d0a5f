"""The console and the MCP server reach only what their key allows."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from memory_service.cli import client
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.api import TIMEOUT
from tests.support.authorization_cases import store
from tests.support.console_pages import console_client
from tests.support.credentials import api_key, server_with_auth, stub_with_credential
from tests.support.server_process import COMMAND, environment

pytestmark = pytest.mark.slow

KEYS = {
    "alice": api_key("alice", ["alice"], "read", "write", "delete", "admin"),
    "reader": api_key("reader", ["alice"], "read"),
    "backend": api_key("backend", None, "read", "write", "delete"),
}


@pytest.fixture(scope="module")
async def server_with_keys(
    settings: Settings, server: RpcServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RpcServer]:
    """A server with API keys, a memory of alice and one of bob."""
    assert server, "the index exists"
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with server_with_auth(settings, api_keys=file) as one:
        async with stub_with_credential(one, KEYS["backend"][0]) as stub:
            for user in ("alice", "bob"):
                await stub.Store(store(user), timeout=TIMEOUT)
        yield one


@pytest.fixture(autouse=True)
def remove_credentials() -> Iterator[None]:
    """Remove the credentials of the CLI after each test."""
    yield
    client.use(client.Credentials())


PAGES: dict[str, tuple[str, dict[str, str]]] = {
    "search": ("/search", {"q": "anything"}),
    "read": ("/read", {}),
    "memory": ("/memory", {"id": "a"}),
    "map": ("/map", {}),
    "delete": ("/delete", {"id": "a"}),
}
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "store": ("/store", {"content": "stored", "role": "user", "request_id": "console"}),
    "delete": ("/delete", {"id": "never"}),
}


async def page(browser: httpx.AsyncClient, path: str, **query: str) -> str:
    return (await browser.get(path, params=query)).text


@pytest.mark.parametrize("name", PAGES)
async def test_a_console_page_shows_only_the_keys_users(server_with_keys: RpcServer, name: str) -> None:
    path, query = PAGES[name]
    client.use(client.Credentials(token=KEYS["alice"][0]))
    async with console_client(server_with_keys.address) as browser:
        assert "secret" in await page(browser, path, user="alice", **query)
        denied = await page(browser, path, user="bob", **query)
    assert "PERMISSION_DENIED" in denied
    assert "secret" not in denied


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("key", "user", "status"), [("alice", "alice", 303), ("alice", "bob", 403), ("reader", "alice", 403)]
)
async def test_a_console_form_changes_only_what_the_key_allows(
    server_with_keys: RpcServer, name: str, key: str, user: str, status: int
) -> None:
    path, fields = FORMS[name]
    client.use(client.Credentials(token=KEYS[key][0]))
    async with console_client(server_with_keys.address) as browser:
        assert (await browser.post(path, data={"user": user, **fields})).status_code == status


async def test_the_console_overview_shows_no_index_to_a_key_of_some_users(
    server_with_keys: RpcServer, settings: Settings
) -> None:
    client.use(client.Credentials(token=KEYS["alice"][0]))
    async with console_client(server_with_keys.address) as browser:
        html = await page(browser, "/")
    assert "PERMISSION_DENIED" in html
    assert settings.index not in html


@pytest.mark.parametrize(
    ("key", "user", "allowed"),
    [
        ("alice", "alice", {"remember", "recall", "forget"}),
        ("alice", "bob", set()),
        ("reader", "alice", {"recall"}),
        ("reader", "bob", set()),
        ("backend", "bob", {"remember", "recall", "forget"}),
    ],
)
async def test_mcp_tools_reach_one_user_with_the_rights_of_the_key(
    server_with_keys: RpcServer, key: str, user: str, allowed: set[str]
) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "remember": {"content": "stored"},
        "recall": {"query": "secret"},
        "forget": {"ids": ["never"]},
    }
    command, *options = [*COMMAND, "mcp", "--user", user]
    variables = environment(MEMORY_ADDRESS=server_with_keys.address, MEMORY_TOKEN=KEYS[key][0])
    async with Client(StdioServerParameters(command=command, args=options, env=variables)) as assistant:
        for tool, given in arguments.items():
            result = await assistant.call_tool(tool, given)
            assert result.is_error == (tool not in allowed), result.content
            assert ("PERMISSION_DENIED" in str(result.content)) == result.is_error
        schemas = [tool.input_schema["properties"] for tool in (await assistant.list_tools()).tools]
        assert {name for one in schemas for name in one} == {"content", "role", "query", "k", "ids"}, "none is a user"
