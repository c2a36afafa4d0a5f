"""Faults of the embedded engine: it is killed, hangs, or loads for long. The service recovers, and it never runs two
engines on one data directory."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import grpc
import psutil
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.errors import FailedPrecondition
from memory_service.embedded import EmbeddedValkey, process
from memory_service.logs import log_to_stderr
from tests.faults.call_table import store, stub_with_index, wait_for_answer
from tests.faults.two_workers import TWO_WORKERS
from tests.support.api import TIMEOUT, Stub, stub_for
from tests.support.server_process import (
    COMMAND,
    channel_to,
    environment,
    run_server_process,
    wait_for_exit,
    wait_for_health,
    wait_for_log_lines,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
SET = b"*3\r\n$3\r\nSET\r\n$7\r\n%07d\r\n$1\r\nv\r\n"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def engines(data_dir: Path) -> list[psutil.Process]:
    """Return the Valkey processes of a data directory, without their guards."""
    found = []
    for one in psutil.process_iter():
        try:
            if "valkey-server" in one.name() and one.cwd() == str(data_dir) and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.Error:
            continue
    return found


async def started(data_dir: Path, other_than: psutil.Process | None = None) -> psutil.Process:
    """Wait for a Valkey process on a data directory and return it."""
    async with asyncio.timeout(TIMEOUT):
        while not (found := [one for one in engines(data_dir) if one != other_than]):
            await asyncio.sleep(0.001)
    return found[0]


@asynccontextmanager
async def at_most_one_engine(data_dir: Path) -> AsyncIterator[None]:
    """Fail if two engines run on a data directory at the same time."""
    most = 0

    async def count() -> None:
        nonlocal most
        while True:
            most = max(most, len(await asyncio.to_thread(engines, data_dir)))
            await asyncio.sleep(0.02)

    counting = asyncio.create_task(count())
    yield
    counting.cancel()
    assert most == 1


async def alive(channel: grpc.aio.Channel) -> bool:
    """Return the liveness of the service."""
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    return bool(answer.status == SERVING)


async def get(stub: Stub, id_: str) -> memory_pb2.Memory:
    return (await stub.Get(pb.GetRequest(user_id="alice", id=id_), timeout=TIMEOUT)).memory


@pytest.mark.parametrize("settings", [{}, TWO_WORKERS], ids=["alone", "workers"])
async def test_an_engine_that_is_killed_restarts_with_every_acknowledged_write(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path), **settings) as server_process:
        async with channel_to(server_process.address) as channel, at_most_one_engine(tmp_path):
            stub = await stub_with_index(channel)
            for round_ in range(2):
                await stub.Store(store(f"m{round_}"), timeout=TIMEOUT)
                [engine] = engines(tmp_path)
                engine.kill()
                # Unsuspended, the next engine would run before readiness changes.
                successor = await started(tmp_path, other_than=engine)
                successor.suspend()
                await wait_for_health(channel, NOT_SERVING)
                assert await alive(channel)
                successor.resume()
                await wait_for_log_lines(server_process, "embedded_engine_restarted", round_ + 1)
                await wait_for_health(channel, SERVING)
                for earlier in range(round_ + 1):
                    assert (await get(stub, f"m{earlier}")).content == "a canary"
        ended = await wait_for_log_lines(server_process, "embedded_engine_ended", 2)
        assert [(line["level"], line["status"]) for line in ended] == [("warning", 128 + signal.SIGKILL)] * 2
        [engine] = engines(tmp_path)
    await asyncio.to_thread(wait_for_exit, engine)


async def test_an_engine_whose_guard_is_killed_stops_and_restarts(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as server_process:
        async with channel_to(server_process.address) as channel, at_most_one_engine(tmp_path):
            stub = await stub_with_index(channel)
            await stub.Store(store("kept"), timeout=TIMEOUT)
            [hanging] = engines(tmp_path)
            hanging.suspend()
            guard = hanging.parent()
            assert guard is not None
            guard.kill()
            await wait_for_log_lines(server_process, "embedded_engine_restarted")
            await wait_for_answer(stub, lambda stub: get(stub, "kept"), within=20.0)


async def test_an_engine_that_dies_again_and_again_is_restarted_at_growing_intervals(
    tmp_path: Path,
) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as server_process:
        async with channel_to(server_process.address) as channel:
            stub = await stub_with_index(channel)
            await stub.Store(store("kept"), timeout=TIMEOUT)
            manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
            good = manifest.read_bytes()
            manifest.write_bytes(b"no manifest\n")
            engines(tmp_path)[0].kill()
            ended = await wait_for_log_lines(server_process, "embedded_engine_ended", 4)
            assert [line["again_in"] for line in ended[:4]] == [0.5, 1.0, 2.0, 4.0]
            assert [line["level"] for line in ended[:4]] == ["warning", "warning", "error", "error"]
            assert ended[3]["see"] == str(tmp_path / "valkey.log")
            await wait_for_health(channel, NOT_SERVING)
            assert await alive(channel)
            manifest.write_bytes(good)
            await wait_for_log_lines(server_process, "embedded_engine_restarted")
            await wait_for_health(channel, SERVING)
            assert (await get(stub, "kept")).id == "kept"


async def test_an_engine_that_cannot_start_is_reported_and_leaves_no_process(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path)
    await valkey.start()
    await valkey.stop()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_bytes(b"no manifest\n")
    with pytest.raises(FailedPrecondition, match=r"valkey\.log"):
        await valkey.start()
    assert engines(tmp_path) == []


async def test_an_engine_that_hangs_while_it_starts_is_killed_before_the_next(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path, stall=1.0)
    async with at_most_one_engine(tmp_path):
        starting = asyncio.create_task(valkey.start())
        hanging = await started(tmp_path)
        hanging.suspend()
        await starting
        [running] = engines(tmp_path)
        assert running != hanging
        await valkey.stop()
    assert engines(tmp_path) == []


async def test_a_long_start_may_take_any_time_while_it_makes_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = EmbeddedValkey(tmp_path, appendfsync="no")
    await valkey.start()
    await valkey.stop()
    [aof] = (tmp_path / "appendonlydir").glob("*.incr.aof")
    with aof.open("ab") as file:
        for number in range(40):
            file.write(b"".join(SET % (number * 50_000 + n) for n in range(50_000)))
    monkeypatch.setattr(process, "_REPORT_EVERY", 0.1)
    patient = EmbeddedValkey(tmp_path, appendfsync="no", stall=0.5)
    log_to_stderr(logging.INFO)
    try:
        with structlog.testing.capture_logs() as lines:
            async with at_most_one_engine(tmp_path):
                await patient.start()
                await patient.stop()
    finally:
        log_to_stderr(logging.ERROR)
    loading = [line for line in lines if line["event"] == "embedded_engine_loading" and "loaded_bytes" in line]
    assert [line["loaded_bytes"] for line in loading] == sorted(line["loaded_bytes"] for line in loading)
    assert loading[-1]["loaded_bytes"] > 0
    assert all(line["total_bytes"] >= aof.stat().st_size for line in loading)
    assert not [line for line in lines if line["log_level"] == "error"]


async def test_a_service_that_is_killed_while_its_engine_hangs_restarts_with_one_engine(
    tmp_path: Path,
) -> None:
    with ExitStack() as running, run_server_process(MEMORY_DATA_DIR=str(tmp_path)) as first:
        async with channel_to(first.address) as channel:
            stub = await stub_with_index(channel)
            await stub.Store(store("kept"), timeout=TIMEOUT)
        [hanging] = engines(tmp_path)
        hanging.suspend()
        first.process.kill()
        first.process.wait()
        async with at_most_one_engine(tmp_path):
            # In a thread, so that the engines are counted meanwhile.
            second = await asyncio.to_thread(running.enter_context, run_server_process(MEMORY_DATA_DIR=str(tmp_path)))
            assert not hanging.is_running()
            assert "waiting_for_previous_engine" in [line["event"] for line in second.log]
            async with channel_to(second.address) as channel:
                await wait_for_answer(stub_for(channel), lambda stub: get(stub, "kept"), within=20.0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("settings", [{}, TWO_WORKERS], ids=["alone", "workers"])
async def test_a_service_stops_on_a_signal_while_its_engine_starts(
    tmp_path: Path, number: signal.Signals, settings: dict[str, str]
) -> None:
    service = await asyncio.create_subprocess_exec(
        *(*COMMAND, "serve"),
        env=environment(MEMORY_LISTEN="127.0.0.1:0", MEMORY_DATA_DIR=str(tmp_path), **settings),
        stderr=asyncio.subprocess.PIPE,
    )
    engine = await started(tmp_path)
    engine.suspend()
    await asyncio.sleep(0.5)
    service.send_signal(number)
    await asyncio.sleep(0.5)
    engine.resume()  # Its guard would kill it after 20 seconds.
    _, stderr = await asyncio.wait_for(service.communicate(), 30)
    assert service.returncode == 0, stderr
    assert b"Traceback" not in stderr
    await asyncio.to_thread(wait_for_exit, engine)
