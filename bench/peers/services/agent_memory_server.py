"""Redis' agent-memory-server over HTTP, on an engine of its own and with a stand-in for OpenAI's embeddings."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from bench.harness.processes import process
from bench.peers.environments import RAMS, Environment
from bench.peers.load_generator import Call, Grpc, Http1, load
from bench.peers.services.service import Engine, engine, family_cpu, program
from bench.peers.workload import K, Workload, name
from memory_service.embedded.process import free_port

_SETTINGS = {
    "OPENAI_API_KEY": "none",
    "EMBEDDING_MODEL": "openai/bench",  # Not one that it knows: then the dimension is a setting.
    "DISABLE_AUTH": "true",
    "ENABLE_TOPIC_EXTRACTION": "false",
    "ENABLE_NER": "false",
    "ENABLE_DISCRETE_MEMORY_EXTRACTION": "false",
    "LOG_LEVEL": "WARNING",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # Otherwise it asks the internet for prices when it starts.
}
_PATIENCE = 10.0
"""Seconds without a new memory after which no more are expected."""


class Rams:
    """Calls as its HTTP API has them."""

    title = "agent-memory-server (HTTP)"
    about = (
        f"{RAMS.package} {RAMS.version}, `agent-memory api --task-backend asyncio`, HNSW, no LLM, no deduplication, no "
        f"recency re-ranking, no auth, log level WARNING; {'; '.join(RAMS.patches)}"
    )
    wire: type[Http1 | Grpc] = Http1

    def __init__(self, work: Workload, address: str, server: psutil.Process, its_engine: Engine) -> None:
        self.address = address
        self._work = work
        self._process = server
        self._engine = its_engine

    def store(self, number: int) -> Call:
        """Store this memory."""
        memory = {
            "id": name(number),
            "text": self._work.texts[number],
            "user_id": self._work.user(number),
            "session_id": "s",
            "memory_type": "message",
            "discrete_memory_extracted": "t",
        }
        return Call("/v1/long-term-memory/", json.dumps({"memories": [memory], "deduplicate": False}).encode())

    def search(self, query: int) -> Call:
        """Search by this query within its user."""
        body = {
            "text": self._work.texts[query],
            "user_id": {"eq": self._work.user(query)},
            "limit": K,
            "recency_boost": False,
        }
        return Call("/v1/long-term-memory/search", json.dumps(body).encode())

    def ids(self, answer: bytes) -> list[str]:
        """The memories that a search has found, best first."""
        return [one["id"] for one in json.loads(answer)["memories"]]

    async def settle(self, expected: int) -> None:
        """It answers before it stores: wait until all is indexed, or nothing more comes."""
        count, changed = -1, time.monotonic()
        while count < expected and time.monotonic() < changed + _PATIENCE:
            await asyncio.sleep(0.02)
            told = await self._engine.connections.run(["FT.SEARCH", "memory_records", "*", "LIMIT", "0", "0"])
            if told[0] != count:
                count, changed = told[0], time.monotonic()

    async def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of the server's process, and of its engine."""
        return family_cpu(self._process), await self._engine.cpu()


@contextlib.asynccontextmanager
async def rams(work: Workload, environment: Environment, folder: Path) -> AsyncIterator[Rams]:
    """A new server with one memory, whose index it has made."""
    port, embedder = free_port(), free_port()
    address = f"127.0.0.1:{port}"
    command = [str(environment.bin / "agent-memory"), "api", "--host", "127.0.0.1", "--port", str(port)]
    async with engine() as its_engine:
        settings = {
            **os.environ,
            **_SETTINGS,
            "REDIS_URL": its_engine.redis_url,
            "REDISVL_VECTOR_DIMENSIONS": str(work.vectors.shape[1]),
            "OPENAI_BASE_URL": f"http://127.0.0.1:{embedder}/v1",
        }
        with process("-m", "bench.peers.openai_endpoint", str(embedder), str(folder), ready="serving"):
            async with program(
                [*command, "--task-backend", "asyncio"], address, folder / "rams.log", settings
            ) as server:
                one = Rams(work, address, server, its_engine)
                # The first memory alone: writes that come while it makes its index are lost.
                await load(Http1, address, [one.store(0)], 1)
                await asyncio.sleep(3)
                yield one
