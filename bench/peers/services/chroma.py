"""Chroma's server: `chroma run`, embeddings from the caller, over HTTP."""

import contextlib
import json
import os
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.harness.processes import cpu_seconds
from bench.peers.connections import GrpcConnection, Http1Connection, Request
from bench.peers.environments import Environment
from bench.peers.services.protocol import server_process
from bench.peers.versions import CHROMA
from bench.peers.workload import K, Workload, memory_id
from memory_service.embedded.process import free_port

_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


class Chroma:
    """Requests of its HTTP API."""

    title = "Chroma"
    about = f"chromadb {CHROMA.version}, `chroma run`, one collection of space cosine, HNSW defaults, no telemetry"
    protocol: type[Http1Connection | GrpcConnection] = Http1Connection

    def __init__(self, work: Workload, address: str, collection: str, pid: int) -> None:
        self.address = address
        self._work = work
        self._path = f"{_COLLECTIONS}/{collection}"
        self._pid = pid

    def store_request(self, number: int) -> Request:
        """Return the request that stores this memory."""
        return self._request(
            "add",
            ids=[memory_id(number)],
            embeddings=[self._work.vectors[number].tolist()],
            documents=[self._work.texts[number]],
            metadatas=[{"user_id": self._work.user(number), "session_id": "s", "role": "user"}],
        )

    def search_request(self, query: int) -> Request:
        """Return the request that searches by this query within its user."""
        return self._request(
            "query",
            query_embeddings=[self._work.vectors[query].tolist()],
            n_results=K,
            where={"user_id": self._work.user(query)},
            include=["documents", "metadatas", "distances"],
        )

    def result_ids(self, response: bytes) -> list[str]:
        """Return the ids of the memories in a search's response, best first."""
        [ids] = json.loads(response)["ids"]
        return list(ids)

    async def wait_until_stored(self, count: int) -> None:
        """Return at once: a record can be found when `add` has returned."""

    async def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU time of the server so far. It is its own engine."""
        return cpu_seconds(self._pid), 0.0

    def _request(self, verb: str, **body: Any) -> Request:
        return Request(f"{self._path}/{verb}", json.dumps(body).encode())


@contextlib.asynccontextmanager
async def chroma(work: Workload, environment: Environment, folder: Path) -> AsyncIterator[Chroma]:
    """Run a new server with an empty collection while the context is open."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [str(environment.bin / "chroma"), "run", "--path", str(folder / "chroma")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    settings = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    async with server_process(command, address, folder / "chroma.log", settings) as pid:
        body = {"name": "memories", "configuration": {"hnsw": {"space": "cosine"}}}
        request = urllib.request.Request(
            f"http://{address}{_COLLECTIONS}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310, ASYNC210 - nothing else runs on the loop yet
            collection = json.load(response)["id"]
        yield Chroma(work, address, collection, pid)
