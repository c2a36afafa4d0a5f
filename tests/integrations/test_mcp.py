"""`memory-service mcp` as assistants run it, through the client of the official SDK."""

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
from tests.cli.in_process import run_command
from tests.support.server_process import COMMAND, environment

pytestmark = pytest.mark.slow

MCP = [*COMMAND, "mcp", "--user"]


@asynccontextmanager
async def client_over_stdio(address: str, user: str) -> AsyncIterator[Client]:
    command, *arguments = [*MCP, user]
    async with Client(
        StdioServerParameters(command=command, args=arguments, env=environment(MEMORY_ADDRESS=address))
    ) as client:
        yield client


@asynccontextmanager
async def mcp_server_over_http(address: str, user: str, *options: str, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Run the MCP server over HTTP on a free port; yield its host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_and_port = f"{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [*MCP, user, "--http", f"{host}:{port}", *options],
        env=environment(MEMORY_ADDRESS=address),
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as probe:
            while True:
                try:
                    await probe.get(f"http://{host_and_port}/")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        yield host_and_port
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) in (0, -15)


@asynccontextmanager
async def client_over_http(address: str, user: str) -> AsyncIterator[Client]:
    async with mcp_server_over_http(address, user) as host_and_port, Client(f"http://{host_and_port}/mcp") as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content.get("result", result.structured_content)


@pytest.mark.parametrize("connect", [client_over_stdio, client_over_http])
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
    async with client_over_stdio(server.address, user) as client:
        result = await client.call_tool("remember", {"content": ""})
        assert result.is_error
        assert "INVALID_ARGUMENT INVALID_REQUEST: content" in json.dumps([one.model_dump() for one in result.content])


async def test_an_unreachable_server_is_reported_to_the_assistant(user: str) -> None:
    async with client_over_stdio("127.0.0.1:1", user) as client:
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


async def status(host_and_port: str, **headers: str) -> int:
    all_headers = {"accept": "application/json, text/event-stream", **headers}
    async with httpx.AsyncClient() as client:
        return (await client.post(f"http://{host_and_port}/mcp", json=INITIALIZE, headers=all_headers)).status_code


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000", "memory.example.com:8000"])
def test_mcp_beyond_loopback_needs_a_key(listen: str) -> None:
    refused = run_command("mcp", "--user", "alice", "--http", listen, status=1, MEMORY_ADDRESS="127.0.0.1:1")
    assert "MEMORY_MCP_KEY" in refused.stderr
    assert "would serve anyone" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--http", "127.0.0.1:0", "--http-key", "short"], "5 characters"),
        (["--http", "0.0.0.0:0", "--http-key", KEY], "--http-name"),
        (["--http", "0.0.0.0:0", "--insecure"], "--http-name"),
        (["--http", "127.0.0.1"], "HOST:PORT"),
        (["--http", "127.0.0.1:99999"], "port 99999"),
        (["--http", "http://127.0.0.1:8000"], "--http"),
    ],
)
def test_invalid_options_stop_the_start(options: list[str], message: str) -> None:
    refused = run_command("mcp", "--user", "alice", *options, status=1, MEMORY_ADDRESS="127.0.0.1:1")
    assert message in refused.stderr


async def test_only_clients_with_the_key_get_access(server: RpcServer, user: str) -> None:
    options = ["--http-key", KEY, "--http-name", "mcp.test"]
    async with mcp_server_over_http(server.address, user, *options, host="0.0.0.0") as host_and_port:
        assert await status(host_and_port) == 401
        assert await status(host_and_port, authorization="Bearer another key of sixteen") == 401
        assert await status(host_and_port, authorization=f"Basic {KEY}") == 401
        assert await status(host_and_port, authorization=f"Bearer {KEY}") == 200
        assert await status(host_and_port, authorization=f"Bearer {KEY}", host="mcp.test") == 200
        assert await status(host_and_port, authorization=f"Bearer {KEY}", host="evil.test") == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
async def test_dns_rebinding_is_refused(server: RpcServer, user: str, host: str) -> None:
    async with mcp_server_over_http(server.address, user, host=host) as host_and_port:
        assert await status(host_and_port) == 200
        assert await status(host_and_port, host="evil.test") == 421
        assert await status(host_and_port, host=f"evil.test:{host_and_port.rpartition(':')[2]}") == 421
        assert await status(host_and_port, origin="http://evil.test") == 403
        assert await status(host_and_port, origin=f"http://{host_and_port}") == 200
