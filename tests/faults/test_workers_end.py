"""Workers that end, by a signal or by a fault: the others continue, the worker restarts, and no process remains."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, load
from tests.faults.test_service_ends import ROUND_ROBIN_BY_HEALTH
from tests.faults.two_workers import TWO_WORKERS, channel_per_worker
from tests.support.api import TIMEOUT, stub_for
from tests.support.credentials import api_key
from tests.support.server_process import (
    ServerProcess,
    channel_to,
    run_server_process,
    wait_for_exit,
    wait_for_health,
    wait_for_log_lines,
)

BALANCED = [
    ("grpc.service_config", ROUND_ROBIN_BY_HEALTH),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]
CONNECTIONS = 16


def process_tree(server_process: ServerProcess) -> list[psutil.Process]:
    """Return the supervisor and all processes that it started."""
    parent = psutil.Process(server_process.process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_no_process_remains_after_the_supervisor_ends(tmp_path: Path, number: signal.Signals) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path), **TWO_WORKERS) as server_process:
        await wait_for_log_lines(server_process, "serving", 2)
        processes = process_tree(server_process)
        assert len(processes) == 5  # itself, two workers, the engine and its guard
        server_process.process.send_signal(number)
        assert await asyncio.to_thread(server_process.process.wait, 30) == (0 if number != signal.SIGKILL else -number)
        for one in processes:
            await asyncio.to_thread(wait_for_exit, one)


async def test_no_process_remains_after_a_signal_during_startup(tmp_path: Path) -> None:
    with run_server_process(
        MEMORY_DATA_DIR=str(tmp_path), **TWO_WORKERS
    ) as server_process:  # One worker serves, the other is starting.
        processes = process_tree(server_process)
        server_process.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(server_process.process.wait, 30) == 0
        for one in processes:
            await asyncio.to_thread(wait_for_exit, one)
    assert [line for line in server_process.log if line["event"] == "worker_ended"] == []


async def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path), MEMORY_GRACE="1", **TWO_WORKERS) as server_process:
        await wait_for_log_lines(server_process, "serving", 2)
        server_process.workers()[1].send_signal(signal.SIGSTOP)
        server_process.process.terminate()
        assert await asyncio.to_thread(server_process.process.wait, 30) == 1
        [line] = await wait_for_log_lines(server_process, "worker_does_not_end", 1)
        assert line["worker"] == 1


async def test_sigterm_fails_no_call_of_clients_that_follow_health(tmp_path: Path) -> None:
    async with EngineProcess(tmp_path) as engine:
        settings = {"MEMORY_VALKEY_URL": engine.url, "MEMORY_DRAIN": "2", **TWO_WORKERS}
        with run_server_process(**settings) as leaving, run_server_process(**settings) as staying:
            async with channel_to(staying.address) as channel:
                await wait_for_health(channel, health_pb2.HealthCheckResponse.SERVING)
                await stub_for(channel).EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            for one in (leaving, staying):
                await wait_for_log_lines(one, "ready", 2)
            async with AsyncExitStack() as stack:
                target = f"ipv4:{leaving.address},{staying.address}"
                # Linux assigns connections to workers; with this many, each worker has some.
                channels = [
                    await stack.enter_async_context(grpc.aio.insecure_channel(target, options=BALANCED))
                    for _ in range(CONNECTIONS)
                ]
                async with load(channels[0], CONNECTIONS, more=channels[1:], pause=0.05, deadline=TIMEOUT) as clients:
                    await asyncio.sleep(2)
                    leaving.process.terminate()
                    assert await asyncio.to_thread(leaving.process.wait, 30) == 0
                    await asyncio.sleep(0.5)
                assert {line["worker"] for line in leaving.log if line["event"] == "call"} == {0, 1}
                assert [error for client in clients for error in client.failures] == []
                assert await audit_writes(clients) == NO_LOSS


async def test_a_killed_worker_is_restarted_while_calls_continue(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path), **TWO_WORKERS) as server_process:
        async with channel_per_worker(server_process) as channels:
            await stub_for(channels[0]).EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            before = server_process.workers()
            async with load(channels[0], 4, more=[channels[1]]) as clients:
                await asyncio.sleep(0.5)
                before[1].kill()
                await wait_for_log_lines(server_process, "serving", 2, worker=1)
                await asyncio.sleep(0.5)
            assert [bool(client.failures) for client in clients] == [False, True, False, True]
            assert await audit_writes(clients) == NO_LOSS
        [line] = await wait_for_log_lines(server_process, "worker_ended", 1)
        assert (line["worker"], line["status"]) == (1, -signal.SIGKILL)
        after = server_process.workers()
        assert after[0] == before[0]
        assert after[1] != before[1]


async def test_a_worker_that_cannot_restart_is_retried_at_growing_intervals(
    tmp_path: Path,
) -> None:
    key, entry = api_key("backend", None, "read", "write", "admin")
    keys = tmp_path / "keys"
    keys.write_text(entry)
    with run_server_process(
        MEMORY_DATA_DIR=str(tmp_path / "data"), MEMORY_API_KEYS=str(keys), **TWO_WORKERS
    ) as server_process:
        await wait_for_log_lines(server_process, "serving", 2)
        keys.rename(tmp_path / "away")
        server_process.workers()[0].kill()
        ended = await wait_for_log_lines(server_process, "worker_ended", 3)
        assert [line["again_in"] for line in ended] == [0.5, 1.0, 2.0]
        assert [line["status"] for line in ended] == [-signal.SIGKILL, 1, 1]
        async with channel_to(server_process.address) as channel:
            metadata = (("authorization", f"Bearer {key}"),)
            await stub_for(channel).ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT, metadata=metadata)
        (tmp_path / "away").rename(keys)
        await wait_for_log_lines(server_process, "serving", 2, worker=0)


async def test_the_supervisor_exits_when_no_worker_can_serve(tmp_path: Path) -> None:
    _, entry = api_key("backend", None, "read")
    keys = tmp_path / "keys"
    keys.write_text(entry)
    with run_server_process(
        MEMORY_DATA_DIR=str(tmp_path / "data"), MEMORY_API_KEYS=str(keys), **TWO_WORKERS
    ) as server_process:
        await wait_for_log_lines(server_process, "serving", 2)
        keys.unlink()
        for one in server_process.workers().values():
            one.kill()
        assert await asyncio.to_thread(server_process.process.wait, 30) == 1
