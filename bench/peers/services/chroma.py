"""Chroma's server: `chroma run`, embeddings from the caller, over HTTP."""

import contextlib
import json
import os
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from bench.peers.environments import CHROMA, Environment
from bench.peers.load_generator import Call, Grpc, Http1
from bench.peers.services.service import family_cpu, program
from bench.peers.workload import K, Workload, name
from memory_service.embedded.process import free_port

_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


class Chroma:
    """Calls as its HTTP API has them."""

    title = "Chroma"
    about = f"chromadb {CHROMA.version}, `chroma run`, one collection of space cosine, HNSW defaults, no telemetry"
    wire: type[Http1 | Grpc] = Http1

    def __init__(self, work: Workload, address: str, collection: str, process: psutil.Process) -> None:
        self.address = address
        self._work = work
        self._path = f"{_COLLECTIONS}/{collection}"
        self._process = process

    def store(self, number: int) -> Call:
        """Store this memory."""
        return self._call(
            "add",
            ids=[name(number)],
            embeddings=[self._work.vectors[number].tolist()],
            documents=[self._work.texts[number]],
            metadatas=[{"user_id": self._work.user(number), "session_id": "s", "role": "user"}],
        )

    def search(self, query: int) -> Call:
        """Search by this query within its user."""
        return self._call(
            "query",
            query_embeddings=[self._work.vectors[query].tolist()],
            n_results=K,
            where={"user_id": self._work.user(query)},
            include=["documents", "metadatas", "distances"],
        )

    def ids(self, answer: bytes) -> list[str]:
        """The memories that a search has found, best first."""
        [found] = json.loads(answer)["ids"]
        return list(found)

    async def settle(self, expected: int) -> None:
        """A record can be found when `add` has answered."""

    async def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of the server, which is its own engine."""
        return family_cpu(self._process), 0.0

    def _call(self, verb: str, **body: Any) -> Call:
        return Call(f"{self._path}/{verb}", json.dumps(body).encode())


@contextlib.asynccontextmanager
async def chroma(work: Workload, environment: Environment, folder: Path) -> AsyncIterator[Chroma]:
    """A new server with an empty collection."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [str(environment.bin / "chroma"), "run", "--path", str(folder / "chroma")]
    settings = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    async with program(
        [*command, "--host", "127.0.0.1", "--port", str(port)], address, folder / "chroma.log", settings
    ) as server:
        body = {"name": "memories", "configuration": {"hnsw": {"space": "cosine"}}}
        request = urllib.request.Request(
            f"http://{address}{_COLLECTIONS}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310, ASYNC210 - nothing else is running yet
            collection = json.load(answer)["id"]
        yield Chroma(work, address, collection, server)
