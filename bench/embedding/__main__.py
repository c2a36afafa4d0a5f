"""What embeddings cost the service: by embedder and by what its cache knows, with 64 callers.

    python -m bench.embedding [--seconds 15] [--latency 30] [--valkey URL] [--picture bench/embedding.png]

`memory-service serve` is asked over gRPC to Search by text, k = 5, among a thousand memories of one user. Embedders are
the local model, and Bedrock through boto3, which here is a process that speaks its wire format and answers after
`--latency` milliseconds (bench/embedding/bedrock_endpoint.py). The texts that the 64 callers ask for, in turns on the same server:

- fresh: each call has a new text
- mixed: four of five calls have a known text
- repeated: all have known texts
- same: all 64 callers ask for one new text at once, again and again

Printed are texts a second, how long a caller waits, how often the model was called, CPU time of the server a text, and
how late its event loop came back (p99, from its metrics, between the bounds of their histogram). It fails unless the
model is called exactly once for each new text, and never for a known one. The callers are one process of Python on the
same machine, and take about as much of it as the service.
"""

import argparse
import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx
import numpy as np
import uvloop
from matplotlib.figure import Figure
from prometheus_client.parser import text_string_to_metric_families
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.processes import process, random_embeddings
from bench.locomo.__main__ import embedded
from bench.telemetry import Server, server
from memory_service.domain.embeddings import pack_embedding
from memory_service.embedded.process import free_port
from memory_service.logs import log_to_stderr

CALLERS, K, MEMORIES, KNOWN = 64, 5, 1000, 256
TIMEOUT = 60
WHERE = memory_pb2.MemoryFilter(user_id="someone")
LAG_BAR_MS = 10
SUBJECTS = ("our deployment", "the index of Valkey", "Anna's holiday", "the invoice of March", "the rota")
QUESTIONS = ("What did we decide about {}", "When will {} be ready", "Who told me that {} has to change")

Ask: TypeAlias = "Callable[[str], Awaitable[None]]"
Load: TypeAlias = "Callable[[Ask, Texts, float], Awaitable[None]]"


class Texts:
    """Texts of about eighteen words, as people ask."""

    def __init__(self) -> None:
        self.made = 0
        self.known = [self.fresh() for _ in range(KNOWN)]

    def fresh(self) -> str:
        """A text that was not there before."""
        self.made += 1
        question = QUESTIONS[self.made % len(QUESTIONS)].format(SUBJECTS[self.made % len(SUBJECTS)])
        return f"{question}, as we said in conversation {self.made} some weeks ago, before the team moved?"

    def repeated(self) -> str:
        """One that the cache knows."""
        return random.choice(self.known)

    def mixed(self) -> str:
        """One that the cache knows, four times of five."""
        return self.repeated() if random.random() < 0.8 else self.fresh()


def each(text: Callable[[Texts], str]) -> Load:
    """Every caller asks on and on, each time such a text."""

    async def load(ask: Ask, texts: Texts, seconds: float) -> None:
        until = time.monotonic() + seconds

        async def caller() -> None:
            while time.monotonic() < until:
                await ask(text(texts))

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    return load


async def together(ask: Ask, texts: Texts, seconds: float) -> None:
    """All callers ask one new text at once, and then the next."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        text = texts.fresh()
        await asyncio.gather(*(ask(text) for _ in range(CALLERS)))


LOADS: dict[str, Load] = {
    "fresh": each(Texts.fresh),
    "mixed": each(Texts.mixed),
    "repeated": each(Texts.repeated),
    "same": together,
}


@dataclass(frozen=True)
class Row:
    """What was measured of one embedder under one load; times in milliseconds."""

    embedder: str
    texts: str
    rate: float
    median: float
    p99: float
    asked: int
    new: int
    calls: int
    cpu: float
    lag: float

    def __str__(self) -> str:
        """A line of the table."""
        return (
            f"| {self.embedder} | {self.texts} | {self.rate:,.0f} | {self.median:.1f} | {self.p99:.1f} | {self.asked:,}"
            f" | {self.new:,} | {self.calls:,} | {self.cpu:.2f} | {self.lag:.1f} |"
        )


class Service:
    """A server under measurement, with an index of its own."""

    def __init__(self, name: str, running: Server, metrics: str) -> None:
        self.name = name
        self.texts = Texts()
        self._running = running
        self._metrics = f"http://{metrics}/metrics"
        self._waits: list[float] = []

    async def fill(self, dimension: int) -> None:
        """Store the memories, and make the known texts known."""
        stub = self._running.stub
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT, wait_for_ready=True)
        packed = [pack_embedding(one) for one in random_embeddings(MEMORIES, dimension)]
        for start in range(0, MEMORIES, 50):
            items = [
                pb.StoreRequest(user_id="someone", role=memory_pb2.ROLE_USER, content="some words", embedding=one)
                for one in packed[start : start + 50]
            ]
            await stub.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
        await asyncio.gather(*(self.ask(text) for text in self.texts.known))

    async def ask(self, text: str) -> None:
        """One search, whose time is kept."""
        started = time.perf_counter()
        request = pb.SearchRequest(query_text=text, filter=WHERE, k=K)
        hits = [hit async for response in self._running.stub.Search(request, timeout=TIMEOUT) for hit in response.hits]
        self._waits.append(time.perf_counter() - started)
        assert len(hits) == K

    async def measure(self, name: str, load: Load, seconds: float) -> Row:
        """The figures under a load."""
        (calls, lag), cpu, made = await asyncio.to_thread(self._told), self._running.cpu(), self.texts.made
        self._waits.clear()
        started = time.perf_counter()
        await load(self.ask, self.texts, seconds)
        took, asked = time.perf_counter() - started, len(self._waits)
        cpu = self._running.cpu() - cpu
        calls_then, lag_then = await asyncio.to_thread(self._told)
        median, p99 = (float(one) * 1000 for one in np.percentile(self._waits, [50, 99]))
        late = {bound: count - lag[bound] for bound, count in lag_then.items()}
        new = self.texts.made - made
        row = Row(
            self.name,
            name,
            asked / took,
            median,
            p99,
            asked,
            new,
            int(calls_then - calls),
            cpu / asked * 1000,
            quantile(late, 0.99) * 1000,
        )
        assert row.calls == new, f"{row.calls} calls of the model for {new} new texts: {row}"
        return row

    async def close(self) -> None:
        """Leave nothing in the engine."""
        await self._running.stub.DropIndex(pb.DropIndexRequest(index=index_of(self.name), delete_memories=True))
        await self._running.channel.close()

    def _told(self) -> tuple[float, dict[float, float]]:
        """By its metrics: calls of the model; and how often the event loop was at most so many seconds late."""
        families = text_string_to_metric_families(httpx.get(self._metrics, timeout=TIMEOUT).text)
        samples = [one for family in families for one in family.samples]
        calls = sum(one.value for one in samples if one.name == "semantic_memory_embedder_calls_total")
        bucket = "semantic_memory_event_loop_lag_seconds_bucket"
        return calls, {float(one.labels["le"]): one.value for one in samples if one.name == bucket}


def quantile(counts: dict[float, float], share: float) -> float:
    """A quantile of a histogram, as Prometheus reads it: evenly between the bounds."""
    rank, low, below = share * counts[float("inf")], 0.0, 0.0
    for bound, count in sorted(counts.items()):
        if count >= rank:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    raise AssertionError


async def main(seconds: float, latency: float, url: str, picture: Path | None) -> None:
    """Measure everything and print the table."""
    async with AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded())
        endpoint = stack.enter_context(
            process("-m", "bench.embedding.bedrock_endpoint", str(latency / 1000), ready="serving")
        )
        bedrock = {
            "MEMORY_EMBEDDER": "bedrock",
            "MEMORY_BEDROCK_REGION": "us-east-1",
            "MEMORY_BEDROCK_ENDPOINT_URL": endpoint.line.split()[1],
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        services = []
        for name, dimension, settings in (("local", 384, {}), ("bedrock", 1536, bedrock)):
            metrics = f"127.0.0.1:{free_port()}"
            common = {"MEMORY_VALKEY_URL": url, "MEMORY_INDEX": index_of(name), "MEMORY_METRICS_LISTEN": metrics}
            service = Service(name, stack.enter_context(server(**common, **settings)), metrics)
            stack.push_async_callback(service.close)
            await service.fill(dimension)
            services.append(service)
        print(
            f"{CALLERS} callers, {seconds:.0f} s each, {MEMORIES} memories, k = {K}; Bedrock takes {latency:.0f} ms\n"
        )
        print("| embedder | texts | texts/s | median ms | p99 ms | asked | new | model calls | CPU ms | lag p99 ms |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        rows = []
        for name, load in LOADS.items():
            for service in services:
                rows.append(await service.measure(name, load, seconds))
                print(rows[-1], flush=True)
        if picture is not None:
            draw(rows, picture)


def index_of(name: str) -> str:
    """The index of a service."""
    return f"bench_embedding_{name}"


def draw(rows: list[Row], picture: Path) -> None:
    """Texts a second, how long callers wait, and the lag of the event loop."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = {"texts a second": "rate", "p99 of a caller, ms": "p99", "p99 of the event loop's lag, ms": "lag"}
    for number, (title, field) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), number + 1)
        for side, embedder in enumerate(("local", "bedrock")):
            heights = [getattr(row, field) for row in rows if row.embedder == embedder]
            bars = axes.bar(np.arange(len(LOADS)) + (side - 0.5) * 0.4, heights, 0.4, label=embedder)
            axes.bar_label(bars, fmt="%.3g", fontsize=7)
        axes.set_xticks(range(len(LOADS)), LOADS, fontsize=8)
        axes.set_title(title, fontsize=9)
    axes.axhline(LAG_BAR_MS, color="grey", linestyle="--", linewidth=1)
    figure.get_axes()[0].legend(fontsize=8)
    figure.savefig(picture, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15, help="for each row")
    parser.add_argument("--latency", type=float, default=30, help="what Bedrock takes for a text, in milliseconds")
    parser.add_argument("--valkey", default="", help="an engine's URL; a new embedded one when left out")
    parser.add_argument("--picture", type=Path, help="where to write the picture of the table (PNG)")
    arguments = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(arguments.seconds, arguments.latency, arguments.valkey, arguments.picture))
