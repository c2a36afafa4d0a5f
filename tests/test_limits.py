"""What one caller may ask for at once and in a second, and what is held for slow readers."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.by_right import ALICE, CALLS, KEYS, drained, outcome, store
from tests.guarded import guarded, showing
from tests.world import TIMEOUT, Stub, message, of, packed, search


def retry_delay(error: grpc.aio.AioRpcError) -> float:
    status = rpc_status.from_call(error)
    info = error_details_pb2.RetryInfo()
    assert status is not None
    assert any(one.Unpack(info) for one in status.details)
    return float(info.retry_delay.ToTimedelta().total_seconds())


@pytest.fixture(autouse=True)
def index(server: RpcServer) -> None:
    """The index is there, whichever test comes first."""
    assert server


async def test_a_caller_has_a_rate_and_others_are_not_touched_by_it(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with guarded(settings, api_keys=file, caller_rate=5.0) as one:
        async with showing(one, KEYS["alice"][0]) as memories:
            calls = [memories.List(pb.ListRequest(filter=ALICE, page_size=1), timeout=TIMEOUT) for _ in range(40)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        shed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert 20 < len(shed) < 40
        assert {error.code() for error in shed} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert 0 < retry_delay(shed[0]) <= 1
        async with showing(one, KEYS["reader"][0]) as memories:
            assert await outcome(CALLS["List"][1](memories, "alice")) is grpc.StatusCode.OK


async def test_a_caller_has_so_many_calls_in_flight(settings: Settings) -> None:
    async with guarded(settings, caller_in_flight=2) as one, showing(one) as memories:
        calls = [memories.Store(pb.StoreRequest(user_id="in flight", role=1, content=f"{n}" * 500)) for n in range(20)]  # type: ignore[arg-type]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        shed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert shed
        assert {error.code() for error in shed} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert retry_delay(shed[0]) > 0
        await memories.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)


async def test_another_users_search_does_not_wait_for_batches(memories: Stub, user: str) -> None:
    def batch(number: int) -> pb.BatchStoreRequest:
        text = "some words of a long message " * 60
        return pb.BatchStoreRequest(memories=[message("mallory", f"{user} {number} {n} {text}") for n in range(100)])

    batches = [asyncio.ensure_future(memories.BatchStore(batch(n), timeout=TIMEOUT)) for n in range(20)]
    await asyncio.sleep(1)
    _, summary = await search(memories, pb.SearchRequest(query_text=user, filter=of(user)))
    assert summary.hit_count == 0
    assert not any(one.done() for one in batches)
    for one in batches:
        one.cancel()


async def test_answers_are_held_within_a_budget(settings: Settings, user: str) -> None:
    async with guarded(settings, answer_bytes=2**20) as one, showing(one) as memories:
        items = [store(user) for _ in range(20)]
        for number, item in enumerate(items):
            item.id, item.content = f"{number}", "x" * 20_000
        await memories.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
        request = pb.SearchRequest(query_embedding=packed(1.0), filter=memory_pb2.MemoryFilter(user_id=user), k=20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(memories.Search(request, timeout=TIMEOUT))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        request.k = 5
        await drained(memories.Search(request, timeout=TIMEOUT))
