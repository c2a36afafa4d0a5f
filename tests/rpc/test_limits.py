"""Limits per caller on rate and calls in flight, and on the memory of responses to slow readers."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain import search as memory_search
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, filter_for_user, packed_embedding, search, store_request, stub_for
from tests.support.authorization_cases import ALICE, CALLS, KEYS, drain, status_of, store
from tests.support.credentials import error_reason, server_with_auth, stub_with_credential


def retry_delay(error: grpc.aio.AioRpcError) -> float:
    """Return the seconds of an error's RetryInfo."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.RetryInfo()
    assert status is not None
    assert any(one.Unpack(info) for one in status.details)
    return float(info.retry_delay.ToTimedelta().total_seconds())


@pytest.fixture(autouse=True)
def index(server: RpcServer) -> None:
    """The default index exists, whichever test runs first."""
    assert server


async def test_the_rate_limit_of_one_caller_does_not_affect_others(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with server_with_auth(settings, api_keys=file, caller_rate=5.0) as one:
        async with stub_with_credential(one, KEYS["alice"][0]) as stub:
            calls = [stub.List(pb.ListRequest(filter=ALICE, page_size=1), timeout=TIMEOUT) for _ in range(40)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        shed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert 20 < len(shed) < 40
        assert {error.code() for error in shed} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert 0 < retry_delay(shed[0]) <= 1
        async with stub_with_credential(one, KEYS["reader"][0]) as stub:
            assert await status_of(CALLS["List"][1](stub, "alice")) is grpc.StatusCode.OK


async def test_calls_in_flight_of_one_caller_are_limited(settings: Settings) -> None:
    async with server_with_auth(settings, caller_in_flight=2) as one, stub_with_credential(one) as stub:
        calls = [stub.Store(pb.StoreRequest(user_id="in flight", role=1, content=f"{n}" * 500)) for n in range(20)]  # type: ignore[arg-type]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        shed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert shed
        assert {error.code() for error in shed} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert retry_delay(shed[0]) > 0
        await stub.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)


async def test_a_search_does_not_wait_for_batches_of_another_user(stub: Stub, user: str) -> None:
    def batch(number: int) -> pb.BatchStoreRequest:
        text = "some words of a long message " * 60
        return pb.BatchStoreRequest(
            memories=[store_request("mallory", f"{user} {number} {n} {text}") for n in range(100)]
        )

    batches = [asyncio.ensure_future(stub.BatchStore(batch(n), timeout=TIMEOUT)) for n in range(20)]
    await asyncio.sleep(1)
    _, summary = await search(stub, pb.SearchRequest(query_text=user, filter=filter_for_user(user)))
    assert summary.hit_count == 0
    assert not any(one.done() for one in batches)
    for one in batches:
        one.cancel()


async def test_slow_readers_keep_their_share_of_the_response_budget(
    settings: Settings, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_search, "_MAX_WAIT", 0.3)
    # The client's window does not grow, so unread responses stay in the server.
    window = [("grpc.http2.bdp_probe", 0)]
    async with (
        server_with_auth(settings, answer_bytes=2**21) as one,
        stub_with_credential(one) as stub,
        grpc.aio.insecure_channel(one.address, options=window) as channel,
    ):
        items = [store(user) for _ in range(20)]
        for number, item in enumerate(items):
            item.id, item.content = f"{number}", "𝕳" * 50_000
        await stub.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
        request = pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user), k=20)
        slow: Any = stub_for(channel).Search(request, timeout=TIMEOUT)
        first = await slow.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drain(stub.Search(request, timeout=TIMEOUT))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error_reason(caught.value) == "OVERLOADED"
        assert retry_delay(caught.value) > 0
        other = pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(f"{user} too"))
        await drain(stub.Search(other, timeout=TIMEOUT))
        count = len(first.hits)
        while (response := await slow.read()) is not grpc.aio.EOF:
            count += len(response.hits)
        assert count == 20
        await drain(stub.Search(request, timeout=TIMEOUT))


async def test_every_response_releases_its_share_of_the_response_budget(settings: Settings, user: str) -> None:
    async with server_with_auth(settings, answer_bytes=2**20) as one, stub_with_credential(one) as stub:
        await stub.Store(store(user), timeout=TIMEOUT)
        for _ in range(3):
            await stub.List(pb.ListRequest(filter=filter_for_user(user)), timeout=TIMEOUT)
            await stub.Get(pb.GetRequest(user_id=user, id="a"), timeout=TIMEOUT)
            await drain(
                stub.Search(
                    pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user)),
                    timeout=TIMEOUT,
                )
            )
            assert await status_of(stub.Get(pb.GetRequest(user_id=user, id="none"), timeout=TIMEOUT))
            cancelled = stub.Search(
                pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=filter_for_user(user)), timeout=TIMEOUT
            )
            cancelled.cancel()
