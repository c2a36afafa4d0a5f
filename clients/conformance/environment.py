"""The servers, certificates and keys that the cases use."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from semantic_memory import AsyncMemoryClient, pack

from clients.conformance import case_files, fault_server
from clients.conformance.bedrock import DIMENSION, bedrock
from clients.conformance.certificates import Authority
from memory_service.access.api_keys import new_key
from memory_service.access.callers import Right
from memory_service.embedded import EmbeddedValkey
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

# As other software creates one, without the fields for labels and words.
FOREIGN_INDEX = (
    "FT.CREATE foreign ON JSON PREFIX 1 mem_foreign: SCHEMA $.session_id AS session_id TAG $.role AS role TAG "
    "$.user_id AS user_id TAG $.timestamp AS timestamp NUMERIC "
    f"$.embedding AS embedding VECTOR HNSW 6 DIM {DIMENSION} DISTANCE_METRIC COSINE TYPE FLOAT32"
)
CLOSED_PORT = "127.0.0.1:1"


@asynccontextmanager
async def environment() -> AsyncIterator[dict[str, str]]:
    """Start all servers. Yields addresses, files and tokens by the names that cases use."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = _settings(await _start_valkey(stack, folder), stack.enter_context(bedrock(case_files.embeddings())))
        server = await stack.enter_async_context(run_server(Settings(**settings)))
        async with AsyncMemoryClient(server.address) as client:
            await client.ensure_index()
            await client.ensure_index("foreign", algorithms="hnsw")
            await store_long_memories(client)
        without_model = {**settings, "bedrock_endpoint_url": f"http://{CLOSED_PORT}"}
        modelless = await stack.enter_async_context(run_server(Settings(**without_model)))
        endpoints = {
            "server": server.address,
            "server without a model": modelless.address,
            "closed port": CLOSED_PORT,
            **await _start_tls_servers(stack, folder, settings),
        }
        for name, healthy in {"fault server": True, "unhealthy server": False}.items():
            started, endpoints[name] = await fault_server.start(healthy=healthy)
            stack.push_async_callback(started.stop, None)
        yield endpoints


async def _start_valkey(stack: AsyncExitStack, folder: Path) -> str:
    """Start an engine that has an index of other software. Returns its URL."""
    valkey = EmbeddedValkey(folder / "valkey", appendfsync="no")
    stack.push_async_callback(valkey.stop)
    await valkey.start()
    url = f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
    connections = Connections(parse_url(url, connections=1))
    await connections.open()
    await connections.run(FOREIGN_INDEX.split())
    await connections.close()
    return url


def _settings(valkey_url: str, bedrock_url: str) -> dict[str, Any]:
    os.environ |= {"AWS_ACCESS_KEY_ID": "conformance", "AWS_SECRET_ACCESS_KEY": "conformance"}
    return {
        "listen": "127.0.0.1:0",
        "valkey_url": SecretStr(valkey_url),
        "embedder": "bedrock",
        "bedrock_model": "amazon.titan-embed-text-v2:0",
        "bedrock_dimension": DIMENSION,
        "bedrock_region": "us-east-1",
        "bedrock_endpoint_url": bedrock_url,
        "embedder_outages": 1_000_000,  # Cases with a failing model must not open the circuit breaker for the others.
    }


async def _start_tls_servers(stack: AsyncExitStack, folder: Path, settings: dict[str, Any]) -> dict[str, str]:
    """Start a server with API keys and one with mutual TLS."""
    authority, other_authority = Authority(folder, "authority"), Authority(folder, "other")
    certificate, key = authority.sign("server")
    client_certificate, client_key = authority.sign("client")
    token, entry = new_key("reader", ["alice"], [Right.READ])
    api_keys = folder / "keys.toml"
    api_keys.write_text(entry)
    tls: dict[str, Any] = {**settings, "tls_cert": certificate, "tls_key": key}
    with_keys = await stack.enter_async_context(run_server(Settings(**tls, api_keys=api_keys)))
    mutual = await stack.enter_async_context(run_server(Settings(**tls, tls_client_ca=authority.file)))
    return {
        "server with API keys": with_keys.address,
        "server with mutual TLS": mutual.address,
        "authority": str(authority.file),
        "other authority": str(other_authority.file),
        "client certificate": str(client_certificate),
        "client key": str(client_key),
        "alice's API key": token,
        "unknown API key": "smk_none",
    }


async def store_long_memories(client: AsyncMemoryClient) -> None:
    """Store the memories of two users whose answers exceed 4 MiB: too long for a case."""
    embedding = pack([1.0] + [0.0] * (DIMENSION - 1))
    for user, content, size, batches in (("many", "x" * 5000, 100, 10), ("long", "𝄞" * 50_000, 7, 3)):
        for _ in range(batches):
            await client.batch_store(
                [
                    {"user_id": user, "session_id": "s", "role": "user", "content": content, "embedding": embedding}
                    for _ in range(size)
                ]
            )
