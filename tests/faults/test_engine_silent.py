"""An engine that is paused or slow, or whose connections die. Calls fail with UNAVAILABLE before their deadline, and
succeed as soon as the engine replies again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.call_table import CALLS, assert_unavailable, service_stub, store, stub_with_index, wait_for_answer
from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, load, retry_delay
from tests.faults.proxy import FaultyProxy, faulty_proxy
from tests.support.api import TIMEOUT, Stub
from tests.support.scale import SCALE
from tests.support.server_process import channel_to, run_server_process


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    async with EngineProcess(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="module")
async def proxy(engine: EngineProcess) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(engine.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def stub(proxy: FaultyProxy) -> AsyncIterator[Stub]:
    async with service_stub(MEMORY_VALKEY_URL=proxy.url) as stub:
        yield stub


async def test_every_call_is_unavailable_while_the_engine_is_paused(engine: EngineProcess, stub: Stub) -> None:
    engine.pause()
    try:
        messages = await asyncio.gather(*(assert_unavailable(stub, call) for call in CALLS.values()))
    finally:
        engine.resume()
    assert {one.partition(";")[0] for one in messages} == {"Valkey did not answer in time"}
    await wait_for_answer(stub, CALLS["VECTOR"], within=2.0)


async def test_a_call_with_a_short_deadline_gets_deadline_exceeded(engine: EngineProcess, stub: Stub) -> None:
    engine.pause()
    try:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Get(pb.GetRequest(user_id="alice", id="there"), timeout=0.5)
    finally:
        engine.resume()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_calls_wait_for_a_slow_engine(proxy: FaultyProxy, stub: Stub) -> None:
    proxy.delay = 0.2
    try:
        for call in CALLS.values():
            await call(stub)
    finally:
        proxy.delay = 0.0


async def test_silently_dead_connections_are_replaced(proxy: FaultyProxy, stub: Stub) -> None:
    # GLIDE's own connection checks take minutes; until then, half of all calls would wait for nothing.
    proxy.stall()
    await asyncio.gather(*(wait_for_answer(stub, CALLS["Get"], within=20.0) for _ in range(30)))
    assert proxy.stalled == 0


@pytest.mark.parametrize("broken", [False, True])
async def test_a_call_that_an_outage_leaves_no_time_for_its_last_command_is_unavailable(
    proxy: FaultyProxy, stub: Stub, broken: bool
) -> None:
    await stub.Store(store("of two commands"), timeout=TIMEOUT)
    # New connections would use up the time of the first command.
    await asyncio.gather(*(wait_for_answer(stub, CALLS["Get"], within=20.0) for _ in range(30)))
    await asyncio.sleep(2.5)  # Outages caused by earlier tests no longer count.
    proxy.delay = 1.1  # of the two seconds that Delete has for its two commands
    request = pb.DeleteRequest(user_id="alice", ids=["of two commands"])
    deleting = asyncio.ensure_future(stub.Delete(request, timeout=2.0))
    await asyncio.sleep(0.3)
    try:
        if broken:
            proxy.delay, proxy.cut_after = 0.0, 0
            await assert_unavailable(stub, CALLS["Get"])
            proxy.delay = 1.1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await deleting
    finally:
        proxy.delay, proxy.cut_after = 0.0, None
    outcome = (caught.value.code(), bool(retry_delay(caught.value)))
    assert outcome == ((grpc.StatusCode.UNAVAILABLE, True) if broken else (grpc.StatusCode.DEADLINE_EXCEEDED, False))
    await wait_for_answer(stub, CALLS["Get"], within=5.0)


@pytest.mark.parametrize("received", [0, 1, 7])
async def test_a_truncated_reply_is_not_an_answer(proxy: FaultyProxy, stub: Stub, received: int) -> None:
    for name, call in CALLS.items():
        proxy.cut_after = received
        try:
            await call(stub)
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, (name, error)
            assert retry_delay(error)
        await wait_for_answer(stub, call, within=5.0)


async def test_nothing_acknowledged_is_lost_on_a_network_that_resets_and_drops_connections(tmp_path: Path) -> None:
    async with (
        EngineProcess(tmp_path) as engine,
        faulty_proxy(engine.port) as proxy,
    ):
        with run_server_process(MEMORY_VALKEY_URL=proxy.url) as server_process:
            async with channel_to(server_process.address) as channel:
                await stub_with_index(channel)
                async with load(channel) as clients:
                    for _ in range(round(3 * SCALE)):
                        for cut in (0, 1, 5):
                            proxy.cut_after = cut
                            await asyncio.sleep(0.3)
                        proxy.stall()
                        await asyncio.sleep(2.0)
                assert any(client.failures for client in clients)
                assert await audit_writes(clients) == NO_LOSS
