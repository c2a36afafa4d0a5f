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
from tests.serving import COMMAND, environment

MCP = [*COMMAND, "mcp", "--user"]


@asynccontextmanager
async def by_stdio(address: str, user: str) -> AsyncIterator[Client]:
    command, *arguments = [*MCP, user]
    async with Client(
        StdioServerParameters(command=command, args=arguments, env=environment(MEMORY_ADDRESS=address))
    ) as client:
        yield client


@asynccontextmanager
async def by_http(address: str, user: str) -> AsyncIterator[Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [*MCP, user, "--http", place], env=environment(MEMORY_ADDRESS=address), stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as probe:
            while True:
                try:
                    await probe.get(f"http://{place}/")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        async with Client(f"http://{place}/mcp") as client:
            yield client
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) in (0, -15)


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


async def test_the_words_of_the_server_reach_the_assistant(server: RpcServer, user: str) -> None:
    async with by_stdio(server.address, user) as client:
        result = await client.call_tool("remember", {"content": ""})
        assert result.is_error
        assert "INVALID_ARGUMENT INVALID_REQUEST: content" in json.dumps([one.model_dump() for one in result.content])


async def test_a_server_that_is_away_is_told_in_words(user: str) -> None:
    async with by_stdio("127.0.0.1:1", user) as client:
        result = await client.call_tool("recall", {"query": "x"})
        assert result.is_error
        assert "UNAVAILABLE" in str(result.content)
