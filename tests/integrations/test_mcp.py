"""`memory-service mcp` as assistants run it, by the client of the official SDK."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from memory_service.rpc.server import RpcServer
from tests.support.server_process import COMMAND, environment, run_cli

pytestmark = pytest.mark.slow

MCP = [*COMMAND, "mcp", "--user"]


@asynccontextmanager
async def by_stdio(address: str, user: str) -> AsyncIterator[Client]:
    command, *arguments = [*MCP, user]
    async with Client(
        StdioServerParameters(command=command, args=arguments, env=environment(MEMORY_ADDRESS=address))
    ) as client:
        yield client


@asynccontextmanager
async def over_http(address: str, user: str, *options: str, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """The place of a server that listens at a free port of this host."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = f"{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [*MCP, user, "--http", f"{host}:{port}", *options],
        env=environment(MEMORY_ADDRESS=address),
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as probe:
            while True:
                try:
                    await probe.get(f"http://{place}/")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        yield place
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) in (0, -15)


@asynccontextmanager
async def by_http(address: str, user: str) -> AsyncIterator[Client]:
    async with over_http(address, user) as place, Client(f"http://{place}/mcp") as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content.get("result", result.structured_content)


@pytest.mark.parametrize("connect", [by_stdio, by_http])
async def test_an_assistant_remembers_recalls_and_forgets(connect: Any, server: RpcServer, user: str) -> None:
    async with connect(server.address, user) as client:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {"remember", "recall", "forget"}
        assert all(tool.description for tool in tools)
        shipping = await call(client, "remember", content="We ship on Fridays")
        await call(client, "remember", content="My cat is called Miso", role="assistant")
        [found] = await call(client, "recall", query="When do we release?", k=1)
        assert found["id"] == shipping
        assert (found["content"], found["role"], found["session"]) == ("We ship on Fridays", "user", "mcp")
        assert await call(client, "forget", ids=[shipping, "never"]) == {"deleted": [shipping], "missing": ["never"]}
        [left] = await call(client, "recall", query="When do we release?")
        assert left["content"] == "My cat is called Miso"


async def test_a_server_error_message_reaches_the_assistant(server: RpcServer, user: str) -> None:
    async with by_stdio(server.address, user) as client:
        result = await client.call_tool("remember", {"content": ""})
        assert result.is_error
        assert "INVALID_ARGUMENT INVALID_REQUEST: content" in json.dumps([one.model_dump() for one in result.content])


async def test_an_unreachable_server_is_reported_to_the_assistant(user: str) -> None:
    async with by_stdio("127.0.0.1:1", user) as client:
        result = await client.call_tool("recall", {"query": "x"})
        assert result.is_error
        assert "UNAVAILABLE" in str(result.content)


KEY = "a key of sixteen or more"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


async def status(place: str, **headers: str) -> int:
    shown = {"accept": "application/json, text/event-stream", **headers}
    async with httpx.AsyncClient() as client:
        return (await client.post(f"http://{place}/mcp", json=INITIALIZE, headers=shown)).status_code


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000", "memory.example.com:8000"])
def test_mcp_beyond_loopback_needs_a_key(listen: str) -> None:
    refused = run_cli("127.0.0.1:1", "mcp", "--user", "alice", "--http", listen, status=1)
    assert "MEMORY_MCP_KEY" in refused.stderr
    assert "would serve anyone" in refused.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--http", "127.0.0.1:0", "--http-key", "short"], "5 characters"),
        (["--http", "0.0.0.0:0", "--http-key", KEY], "--http-name"),
        (["--http", "0.0.0.0:0", "--insecure"], "--http-name"),
        (["--http", "127.0.0.1"], "HOST:PORT"),
        (["--http", "127.0.0.1:99999"], "port 99999"),
        (["--http", "http://127.0.0.1:8000"], "--http"),
    ],
)
def test_invalid_options_stop_the_start(options: list[str], told: str) -> None:
    assert told in run_cli("127.0.0.1:1", "mcp", "--user", "alice", *options, status=1).stderr


async def test_only_clients_with_the_key_get_access(server: RpcServer, user: str) -> None:
    options = ["--http-key", KEY, "--http-name", "mcp.test"]
    async with over_http(server.address, user, *options, host="0.0.0.0") as place:
        assert await status(place) == 401
        assert await status(place, authorization="Bearer another key of sixteen") == 401
        assert await status(place, authorization=f"Basic {KEY}") == 401
        assert await status(place, authorization=f"Bearer {KEY}") == 200
        assert await status(place, authorization=f"Bearer {KEY}", host="mcp.test") == 200
        assert await status(place, authorization=f"Bearer {KEY}", host="evil.test") == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
async def test_dns_rebinding_is_refused(server: RpcServer, user: str, host: str) -> None:
    async with over_http(server.address, user, host=host) as place:
        assert await status(place) == 200
        assert await status(place, host="evil.test") == 421
        assert await status(place, host=f"evil.test:{place.rpartition(':')[2]}") == 421
        assert await status(place, origin="http://evil.test") == 403
        assert await status(place, origin=f"http://{place}") == 200
