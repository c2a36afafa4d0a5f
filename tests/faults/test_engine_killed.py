"""kill -9 of the engine under load, as in a power cut. With `appendfsync always`, every acknowledged write exists once
afterwards, and the service recovers by itself."""

import asyncio
import time
from pathlib import Path

from tests.faults.call_table import (
    CALLS,
    SEARCHES,
    assert_unavailable,
    search_results,
    service_stub,
    store,
    stub_with_index,
    wait_for_answer,
)
from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, ended_by_grpc, load, retry_delay
from tests.support.api import TIMEOUT
from tests.support.scale import SCALE
from tests.support.server_process import channel_to, run_server_process

RECOVERY = 2.0
"""Seconds after the engine's first reply within which a call of every client succeeds."""


async def test_kill_9_of_the_engine_loses_nothing_and_clients_recover_within_two_seconds(tmp_path: Path) -> None:
    recovery_times = []
    async with EngineProcess(tmp_path) as engine:
        with run_server_process(MEMORY_VALKEY_URL=engine.url) as server_process:
            async with channel_to(server_process.address) as channel:
                await stub_with_index(channel)
                async with load(channel) as clients:
                    for downtime in [0.0, 3.0] * round(SCALE):
                        await asyncio.sleep(1.0)
                        await engine.kill()
                        await asyncio.sleep(downtime)
                        await engine.start()
                        restarted_at = time.monotonic()
                        while min(client.last_answer_at for client in clients) < restarted_at:
                            await asyncio.sleep(0.005)
                            assert time.monotonic() - restarted_at < 20, "the service does not recover"
                        recovery_times.append(time.monotonic() - restarted_at)
                failures = [error for client in clients for error in client.failures]
                assert failures
                # On a busy machine, gRPC itself may end a call at its deadline; that error has no details.
                assert [error for error in failures if not (retry_delay(error) or ended_by_grpc(error))] == []
                assert await audit_writes(clients) == NO_LOSS
    stored = sum(len(client.stored) + len(client.deleted) for client in clients)
    slowest = max(recovery_times)
    print(f"{len(recovery_times)} kills, {stored} acknowledged, {len(failures)} retried, recovered in {slowest:.2f} s")
    assert slowest < RECOVERY


async def test_searches_after_an_engine_restart_are_degraded_until_the_index_is_ready(
    tmp_path: Path,
) -> None:
    async with EngineProcess(tmp_path) as engine, service_stub(MEMORY_VALKEY_URL=engine.url) as stub:
        _, summary = await search_results(stub, SEARCHES["VECTOR"], TIMEOUT)
        assert not summary.degraded
        await engine.kill()
        await assert_unavailable(stub, CALLS["VECTOR"])
        await engine.start()
        _, summary = await search_results(stub, SEARCHES["VECTOR"], TIMEOUT)
        assert summary.degraded
        async with asyncio.timeout(TIMEOUT):
            while summary.degraded:
                _, summary = await search_results(stub, SEARCHES["VECTOR"], TIMEOUT)


async def test_every_call_is_unavailable_while_the_engine_is_down(tmp_path: Path) -> None:
    async with EngineProcess(tmp_path) as engine, service_stub(MEMORY_VALKEY_URL=engine.url) as stub:
        await engine.kill()
        messages = await asyncio.gather(*(assert_unavailable(stub, call) for call in CALLS.values()))
        assert set(messages) <= {"Valkey cannot be reached; retry", "Valkey did not answer in time; retry"}
        await engine.start()
        await wait_for_answer(stub, CALLS["VECTOR"], within=RECOVERY)


async def test_no_call_reports_missing_data_while_the_engine_loads(tmp_path: Path) -> None:
    slow_loading = ("appendonly no", "key-load-delay 15000", "loading-process-events-interval-bytes 1024")
    async with EngineProcess(tmp_path, *slow_loading) as engine, service_stub(MEMORY_VALKEY_URL=engine.url) as stub:
        await asyncio.gather(*(stub.Store(store(f"m{n}"), timeout=TIMEOUT) for n in range(300)))
        await engine.run("SAVE")
        await engine.kill()
        await engine.start(wait=False)
        async with asyncio.timeout(20):
            while not (await engine.ping()).startswith(b"-LOADING"):
                await asyncio.sleep(0.01)
        await asyncio.gather(*(assert_unavailable(stub, call) for call in CALLS.values()))
        assert (await engine.ping()).startswith(b"-LOADING")
        await wait_for_answer(stub, CALLS["Get"], within=20.0)
        found, _ = await search_results(stub, SEARCHES["VECTOR"], TIMEOUT)
        assert len(found) == 5
