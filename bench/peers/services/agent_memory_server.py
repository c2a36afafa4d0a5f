"""Redis' agent-memory-server over HTTP, with an engine of its own and a local endpoint in place of OpenAI's."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bench.harness.processes import cpu_seconds, loopback_process
from bench.peers.connections import GrpcConnection, Http1Connection, Request
from bench.peers.engine import Engine, connected_engine
from bench.peers.environments import Environment
from bench.peers.load_generator import run_load
from bench.peers.services.protocol import server_process
from bench.peers.versions import AGENT_MEMORY_SERVER
from bench.peers.workload import K, Workload, memory_id
from memory_service.embedded.process import free_port

_SETTINGS = {
    "OPENAI_API_KEY": "none",
    "EMBEDDING_MODEL": "openai/bench",  # A model that it does not know: then the dimension is a setting.
    "DISABLE_AUTH": "true",
    "ENABLE_TOPIC_EXTRACTION": "false",
    "ENABLE_NER": "false",
    "ENABLE_DISCRETE_MEMORY_EXTRACTION": "false",
    "LOG_LEVEL": "WARNING",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # Otherwise it downloads prices when it starts.
}
_IDLE = 10.0
"""Seconds without a new memory after which no more are expected."""


class AgentMemoryServer:
    """Requests of its HTTP API."""

    title = "agent-memory-server (HTTP)"
    about = (
        f"{AGENT_MEMORY_SERVER.package} {AGENT_MEMORY_SERVER.version}, `agent-memory api --task-backend asyncio`, "
        "HNSW, no LLM, no deduplication, no recency re-ranking, no auth, log level WARNING; "
        f"{'; '.join(AGENT_MEMORY_SERVER.patches)}"
    )
    protocol: type[Http1Connection | GrpcConnection] = Http1Connection

    def __init__(self, work: Workload, address: str, pid: int, engine: Engine) -> None:
        self.address = address
        self._work = work
        self._pid = pid
        self._engine = engine

    def store_request(self, number: int) -> Request:
        """Return the request that stores this memory."""
        memory = {
            "id": memory_id(number),
            "text": self._work.texts[number],
            "user_id": self._work.user(number),
            "session_id": "s",
            "memory_type": "message",
            "discrete_memory_extracted": "t",
        }
        return Request("/v1/long-term-memory/", json.dumps({"memories": [memory], "deduplicate": False}).encode())

    def search_request(self, query: int) -> Request:
        """Return the request that searches by this query within its user."""
        body = {
            "text": self._work.texts[query],
            "user_id": {"eq": self._work.user(query)},
            "limit": K,
            "recency_boost": False,
        }
        return Request("/v1/long-term-memory/search", json.dumps(body).encode())

    def result_ids(self, response: bytes) -> list[str]:
        """Return the ids of the memories in a search's response, best first."""
        return [memory["id"] for memory in json.loads(response)["memories"]]

    async def wait_until_stored(self, count: int) -> None:
        """Wait until this many memories are indexed, or no more come: the server responds before it stores."""
        indexed, changed_at = -1, time.monotonic()
        while indexed < count and time.monotonic() < changed_at + _IDLE:
            await asyncio.sleep(0.02)
            reply = await self._engine.connections.run(["FT.SEARCH", "memory_records", "*", "LIMIT", "0", "0"])
            if reply[0] != indexed:
                indexed, changed_at = reply[0], time.monotonic()

    async def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU time that the server has used so far, and that of its engine."""
        return cpu_seconds(self._pid), await self._engine.cpu_seconds()


@contextlib.asynccontextmanager
async def agent_memory_server(
    work: Workload, environment: Environment, folder: Path
) -> AsyncIterator[AgentMemoryServer]:
    """Run a new server while the context is open. It has one memory and has created its index."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [str(environment.bin / "agent-memory"), "api", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--task-backend", "asyncio"]
    async with connected_engine() as engine:
        with loopback_process("bench.peers.openai_endpoint", str(folder)) as (_, embeddings_address):
            settings = {
                **os.environ,
                **_SETTINGS,
                "REDIS_URL": engine.redis_url,
                "REDISVL_VECTOR_DIMENSIONS": str(work.vectors.shape[1]),
                "OPENAI_BASE_URL": f"http://{embeddings_address}/v1",
            }
            async with server_process(command, address, folder / "agent_memory_server.log", settings) as pid:
                server = AgentMemoryServer(work, address, pid, engine)
                # Store the first memory alone: writes that arrive while it creates its index are lost.
                await run_load(Http1Connection, address, [server.store_request(0)], callers=1)
                await asyncio.sleep(3)
                yield server
