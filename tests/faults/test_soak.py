"""Mixed load: memory, open files and tasks of the server do not grow over time.

CI runs this test for seconds, `make soak` for MEMORY_SOAK_SECONDS.
"""

import asyncio
import os
import time
from pathlib import Path

from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.call_table import CALLS, store, stub_with_index
from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, load
from tests.faults.server_resources import run_measured_server
from tests.support.api import TIMEOUT, Stub, store_request
from tests.support.server_process import channel_to

SECONDS = float(os.environ.get("MEMORY_SOAK_SECONDS", "12"))
SAMPLES = 12
MEGABYTES = 24
"""Allowed growth of memory in the second half. The embedding cache stays small because the test uses few texts, and the
memories are in another process, the engine."""


async def test_a_soak_shows_no_growth_of_memory_files_or_tasks(tmp_path: Path) -> None:
    samples = []
    async with EngineProcess(tmp_path) as engine:
        with run_measured_server(MEMORY_VALKEY_URL=engine.url) as server:
            async with channel_to(server.address) as channel:
                stub = await stub_with_index(channel)
                await stub.Store(store("there"), timeout=TIMEOUT)
                end = time.monotonic() + SECONDS
                async with load(channel, 3, deadline=TIMEOUT) as clients, asyncio.TaskGroup() as group:
                    group.create_task(other_calls(stub, end))
                    group.create_task(connections_that_come_and_go(server.address, end))
                    for _ in range(SAMPLES):
                        await asyncio.sleep(SECONDS / SAMPLES)
                        samples.append(server.sample())
                        print(samples[-1])
                assert [error for client in clients for error in client.failures] == []
                assert await audit_writes(clients) == NO_LOSS
    calls = sum(len(client.seconds) for client in clients)
    print(f"{SECONDS:.0f} s, {calls} calls of three clients beside others")
    # The first quarter fills caches and pools, so it does not count.
    early, late = samples[SAMPLES // 4 : SAMPLES // 2], samples[SAMPLES // 2 :]
    for what, allowed in (("megabytes", MEGABYTES), ("files", 8), ("tasks", 16)):
        first, last = (max(getattr(one, what) for one in half) for half in (early, late))
        print(f"{what}: {first:.0f}, then {last:.0f}")
        assert last <= first + allowed, what


async def other_calls(stub: Stub, end: float) -> None:
    """Make every call of the contract in turn, with texts to embed among them."""
    number = 0
    while time.monotonic() < end:
        number += 1
        for call in CALLS.values():
            await call(stub)
        await stub.Store(store_request("bob", f"text {number % 500}"), timeout=TIMEOUT)
        where = memory_pb2.MemoryFilter(user_id="bob")
        await stub.DeleteMatching(pb.DeleteMatchingRequest(filter=where), timeout=TIMEOUT)


async def connections_that_come_and_go(address: str, end: float) -> None:
    """Open a new connection for each call, as short programs do."""
    while time.monotonic() < end:
        async with channel_to(address) as channel:
            await CALLS["HYBRID"](await stub_with_index(channel))
        await asyncio.sleep(0.05)
