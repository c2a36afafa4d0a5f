"""A service with one embedder, under one load after the other."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.embedding.metrics import Metrics
from bench.embedding.texts import Load, Texts
from bench.harness.data import random_embeddings
from bench.harness.processes import ServerProcess
from memory_service.cli.client import Stub
from memory_service.domain.embeddings import pack_embedding

K, MEMORIES = 5, 1000
TIMEOUT = 60
USER = "someone"


@dataclass(frozen=True)
class Measurement:
    """The results for one embedder under one load; times in milliseconds."""

    embedder: str
    load: str
    rate: float
    median: float
    p99: float
    texts: int
    new_texts: int
    model_calls: int
    cpu: float
    lag: float
    """The event loop's, 99th percentile."""


class Service:
    """A server under measurement, with an index of its own."""

    def __init__(self, name: str, process: ServerProcess, stub: Stub, metrics_url: str) -> None:
        self.name = name
        self.texts = Texts()
        self._process, self._stub, self._metrics_url = process, stub, metrics_url
        self._times: list[float] = []

    async def fill(self, dimension: int) -> None:
        """Store the memories, and search for the known texts, so that the cache has them."""
        await self._stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        embeddings = [pack_embedding(one) for one in random_embeddings(MEMORIES, dimension)]
        for start in range(0, MEMORIES, 50):
            requests = [
                pb.StoreRequest(user_id=USER, role=memory_pb2.ROLE_USER, content="some words", embedding=embedding)
                for embedding in embeddings[start : start + 50]
            ]
            await self._stub.BatchStore(pb.BatchStoreRequest(memories=requests), timeout=TIMEOUT)
        await asyncio.gather(*(self.search(text) for text in self.texts.known))

    async def search(self, text: str) -> None:
        """Search once and record the time."""
        started = time.perf_counter()
        request = pb.SearchRequest(query_text=text, filter=memory_pb2.MemoryFilter(user_id=USER), k=K)
        hits = [hit async for response in self._stub.Search(request, timeout=TIMEOUT) for hit in response.hits]
        self._times.append(time.perf_counter() - started)
        assert len(hits) == K

    async def measure(self, name: str, load: Load, seconds: float) -> Measurement:
        """Measure under a load. Fail unless the model is called exactly once for each new text."""
        metrics_before = await asyncio.to_thread(Metrics.read, self._metrics_url)
        cpu_before, count_before = self._process.cpu_seconds(), self.texts.new_count
        self._times.clear()
        started = time.perf_counter()
        await load(self.search, self.texts, seconds)
        elapsed, count = time.perf_counter() - started, len(self._times)
        cpu = self._process.cpu_seconds() - cpu_before
        metrics = (await asyncio.to_thread(Metrics.read, self._metrics_url)).since(metrics_before)
        median, p99 = (float(one) * 1000 for one in np.percentile(self._times, [50, 99]))
        measurement = Measurement(
            self.name,
            name,
            count / elapsed,
            median,
            p99,
            count,
            self.texts.new_count - count_before,
            int(metrics.model_calls),
            cpu / count * 1000,
            metrics.lag_quantile(0.99) * 1000,
        )
        assert measurement.model_calls == measurement.new_texts, f"model calls differ from new texts: {measurement}"
        return measurement

    async def drop(self, index: str) -> None:
        """Delete the index and its memories."""
        await self._stub.DropIndex(pb.DropIndexRequest(index=index, delete_memories=True), timeout=TIMEOUT)
