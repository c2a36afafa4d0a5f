"""Two servers on one engine while calls are cancelled or time out at any await, and servers are killed.

Afterwards, no acknowledged memory is lost, no ttl is lost, and no memory exists twice.
"""

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded.process import free_port
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url
from tests.faults.engine_process import EngineProcess
from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding, stub_for
from tests.support.scale import SCALE
from tests.support.server_process import COMMAND, channel_to, environment, run_server_process

LASTING, VICTIM = "memory_idx", "victim"
USER = "u"
TTL = 2.0


@dataclass
class CallRecords:
    """What the callers tried, and what was acknowledged."""

    tried: set[str] = field(default_factory=set)
    lasting: set[str] = field(default_factory=set)
    """Acknowledged memories without a ttl."""
    ending: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)


class Servers:
    """Two servers, each of which can be killed and restarted at its port."""

    def __init__(self, running: ExitStack, engine: EngineProcess) -> None:
        self._running = running
        self._addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self._settings = {"MEMORY_VALKEY_URL": engine.url, "MEMORY_EXPIRY_SWEEP_EVERY": "0.5"}
        self._processes: list[Any] = [None, None]
        self.stubs: list[Stub] = []

    async def start(self, number: int) -> None:
        settings = {**self._settings, "MEMORY_LISTEN": self._addresses[number]}
        self._processes[number] = await asyncio.to_thread(self._running.enter_context, run_server_process(**settings))

    async def kill(self, number: int) -> None:
        self._processes[number].process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._processes[number].process.wait, 60)

    @property
    def addresses(self) -> list[str]:
        return self._addresses


@asynccontextmanager
async def two_servers(directory: Path) -> AsyncIterator[tuple[Servers, Connections]]:
    async with EngineProcess(directory) as engine:
        with ExitStack() as running:
            servers = Servers(running, engine)
            await asyncio.gather(servers.start(0), servers.start(1))
            connections = Connections(parse_url(engine.url, connections=1))
            await connections.open()
            async with channel_to(servers.addresses[0]) as one, channel_to(servers.addresses[1]) as other:
                servers.stubs = [stub_for(one), stub_for(other)]
                for index in (LASTING, VICTIM):
                    await servers.stubs[0].EnsureIndex(pb.EnsureIndexRequest(index=index), timeout=TIMEOUT)
                yield servers, connections
            await connections.close()


def item(id_: str, ttl: float | None = None, index: str = "") -> pb.StoreRequest:
    request = pb.StoreRequest(
        index=index, user_id=USER, id=id_, role=memory_pb2.ROLE_USER, content=id_, embedding=packed_embedding(1.0)
    )
    if ttl is not None:
        request.ttl.CopyFrom(Duration(nanos=int(ttl % 1 * 1e9), seconds=int(ttl)))
    return request


class Caller:
    """Makes random calls; many are cancelled or have too short a deadline."""

    def __init__(self, number: int, servers: Servers, records: CallRecords) -> None:
        self._number = number
        self._servers = servers
        self._records = records
        self._random = random.Random(number)
        self._count = 0

    async def run(self, until: float) -> None:
        works: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._store, self._store_ending, self._batch, self._use_victim,
        ]  # fmt: skip
        while time.monotonic() < until:
            await self._random.choice(works)()
            await asyncio.sleep(0.001)

    def _id(self) -> str:
        self._count += 1
        id_ = f"{self._number}-{self._count}"
        self._records.tried.add(id_)
        return id_

    async def _call(self, method: str, request: Any) -> Any:
        """Return the response, or None if the call was cancelled, timed out or failed."""
        timeout = self._random.choice([0.001, 0.003, 0.01, 0.03, 5.0, 5.0])
        stub = self._random.choice(self._servers.stubs)
        call = getattr(stub, method)(request, timeout=timeout)
        if self._random.random() < 0.2:
            await asyncio.sleep(self._random.random() * 0.02)
            call.cancel()
        try:
            answer = await call
        except asyncio.CancelledError:
            outcome = "cancelled"
        except grpc.aio.AioRpcError as error:
            outcome = error.code().name
        else:
            self._records.outcomes[f"{method} OK"] += 1
            return answer
        self._records.outcomes[f"{method} {outcome}"] += 1
        return None

    async def _store(self) -> None:
        id_ = self._id()
        if await self._call("Store", item(id_)) is not None:
            self._records.lasting.add(id_)

    async def _store_ending(self) -> None:
        id_ = self._id()
        if await self._call("Store", item(id_, TTL)) is not None:
            self._records.ending.add(id_)

    async def _batch(self) -> None:
        ids = {self._id(): None if n % 2 else TTL for n in range(10)}
        request = pb.BatchStoreRequest(memories=[item(id_, ttl) for id_, ttl in ids.items()])
        answer = await self._call("BatchStore", request)
        for (id_, ttl), result in zip(ids.items(), answer.results if answer else (), strict=False):
            if result.HasField("stored"):
                (self._records.lasting if ttl is None else self._records.ending).add(id_)

    async def _use_victim(self) -> None:
        if self._number == 0 and self._random.random() < 0.3:
            await self._call("DropIndex", pb.DropIndexRequest(index=VICTIM, delete_memories=True))
            await self._call("EnsureIndex", pb.EnsureIndexRequest(index=VICTIM))
        else:
            await self._call("Store", item("v", index=VICTIM))


async def keys(connections: Connections, pattern: str) -> int:
    return sum([len(lot) async for lot in connections.scan(pattern)])


async def wait_for_key_count(connections: Connections, count: int) -> bool:
    """Wait until this many documents are left; return False after 30 seconds."""
    for _ in range(300):
        if await keys(connections, "mem:*") == count:
            return True
        await asyncio.sleep(0.1)
    return False


async def export(address: str, file: Path, stop_after: float | None, *options: str) -> int:
    """Export everything; kill the export after `stop_after` seconds, if set."""
    arguments = [*COMMAND, "export", str(file), "--all-users", "--address", address, *options]
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environment(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    if stop_after is not None:
        await asyncio.sleep(stop_after)
        if process.returncode is None:
            process.kill()
    return await process.wait()


async def test_interrupted_calls_lose_no_memory_and_no_ttl_and_duplicate_nothing(tmp_path: Path) -> None:
    records = CallRecords()
    async with two_servers(tmp_path / "engine") as (servers, connections):
        until = time.monotonic() + 4 * SCALE
        callers = [asyncio.create_task(Caller(number, servers, records).run(until)) for number in range(8)]
        while time.monotonic() < until - 1.5:
            await asyncio.sleep(1.0)
            victim = random.randrange(2)
            await servers.kill(victim)
            await servers.start(victim)
        await asyncio.gather(*callers)
        await asyncio.sleep(TTL + 0.5)

        found = Counter(one.id for one in await list_all(servers.stubs[0], memory_pb2.MemoryFilter(user_id=USER)))
        lost = records.lasting - found.keys()
        immortal = found.keys() & records.ending
        doubled = [id_ for id_, count in found.items() if count > 1]
        print(
            f"{dict(records.outcomes)}: {len(records.lasting)} kept, {len(records.ending)} expired, {len(found)} there"
        )
        assert (lost, immortal, doubled) == (set(), set(), [])
        assert found.keys() <= records.tried
        assert await wait_for_key_count(connections, len(found)), "documents that have expired are still there"
        assert records.lasting
        assert records.ending
        assert {outcome for outcome in records.outcomes if outcome.endswith("INTERNAL")} == set()

        file = tmp_path / "export.jsonl"
        await export(servers.addresses[0], file, 0.7)
        assert await export(servers.addresses[1], file, None, *(["--resume"] if file.exists() else [])) == 0
        exported = Counter(json.loads(line)["id"] for line in file.read_text().splitlines() if '"id"' in line)
        assert exported == found
