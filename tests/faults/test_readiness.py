"""Readiness follows the engine: it is never reported while the engine is unavailable, and does not drop because the
service itself gets too little CPU."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.call_table import stub_with_index
from tests.faults.engine_process import EngineProcess
from tests.support.api import Stub
from tests.support.scale import SCALE
from tests.support.server_process import SERVICE, channel_to, run_server_process

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def watched(channel: grpc.aio.Channel) -> AsyncIterator[list[health_pb2.HealthCheckResponse.ServingStatus]]:
    """Collect every status of readiness while the context is open."""
    statuses: list[health_pb2.HealthCheckResponse.ServingStatus] = []
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))

    async def collect() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            async for response in watch:
                statuses.append(response.status)  # noqa: PERF401 - a list would exist only at the end

    collecting = asyncio.create_task(collect())
    try:
        yield statuses
    finally:
        watch.cancel()
        await collecting


async def test_an_engine_that_refuses_connections_is_never_ready(tmp_path: Path) -> None:
    async with EngineProcess(tmp_path) as engine:
        with run_server_process(MEMORY_VALKEY_URL=engine.url) as server_process:
            async with channel_to(server_process.address) as channel:
                stub = await stub_with_index(channel)
                await engine.kill()
                await asyncio.sleep(2.0)
                async with watched(channel) as statuses:
                    # Errors that the client library raises for these calls are no replies of the engine.
                    await asyncio.gather(*(call_for(stub, 10 * SCALE) for _ in range(4)))
        assert statuses == [NOT_SERVING]


async def call_for(stub: Stub, seconds: float) -> None:
    """Make calls that all fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Get(pb.GetRequest(user_id="alice", id="there"), timeout=2.0)


async def test_a_service_short_of_cpu_stays_ready(tmp_path: Path) -> None:
    async with EngineProcess(tmp_path) as engine:
        with run_server_process(MEMORY_VALKEY_URL=engine.url) as server_process:
            async with channel_to(server_process.address) as channel, watched(channel) as statuses:
                await stub_with_index(channel)
                assert engine.process is not None
                with starved(psutil.Process(server_process.process.pid), engine.process):
                    await asyncio.sleep(10 * SCALE)
                await asyncio.sleep(1.0)
        assert statuses == [SERVING]


@contextmanager
def starved(*processes: psutil.Process) -> Iterator[None]:
    """Let others take nearly all of the CPU that these processes could use."""
    for thread in (thread for process in processes for thread in process.threads()):
        os.setpriority(os.PRIO_PROCESS, thread.id, 19)
        os.sched_setaffinity(thread.id, {0})
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    for loop in loops:
        os.sched_setaffinity(loop.pid, {0})
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
