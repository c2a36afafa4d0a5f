"""Page tokens of List serve only the request that they were issued for, and reveal nothing."""

import base64

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, filter_for_user, list_all, store_at

pytestmark = pytest.mark.both_layouts
OLDEST, NEWEST = pb.LIST_ORDER_OLDEST_FIRST, pb.LIST_ORDER_NEWEST_FIRST


async def token(stub: Stub, user: str) -> str:
    """Return the token of the second page."""
    request = pb.ListRequest(filter=filter_for_user(user), page_size=1)
    return (await stub.List(request, timeout=TIMEOUT)).next_page_token


async def assert_refused(stub: Stub, request: pb.ListRequest) -> None:
    """Assert that List refuses the page token of a request."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.List(request, timeout=TIMEOUT)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "page_token" in str(failed.value.details())


async def test_a_page_token_is_refused_for_another_request(stub: Stub, user: str) -> None:
    await store_at(stub, user, [1, 2, 3])
    issued = await token(stub, user)
    await assert_refused(stub, pb.ListRequest(filter=filter_for_user("another"), page_token=issued))
    await assert_refused(stub, pb.ListRequest(filter=filter_for_user(user, session_ids=["s"]), page_token=issued))
    await assert_refused(stub, pb.ListRequest(filter=filter_for_user(user), order=NEWEST, page_token=issued))
    await assert_refused(stub, pb.ListRequest(filter=memory_pb2.MemoryFilter(all_users=True), page_token=issued))
    larger = pb.ListRequest(filter=filter_for_user(user), page_size=7, page_token=issued)
    assert len((await stub.List(larger, timeout=TIMEOUT)).memories) == 2, "the page size may change"


@given(st.data())
async def test_a_modified_page_token_is_refused(stub: Stub, data: st.DataObject) -> None:
    user = "tampers"
    if not await list_all(stub, filter_for_user(user)):
        await store_at(stub, user, [1, 2, 3])
    raw = bytearray(base64.urlsafe_b64decode(await token(stub, user)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    await assert_refused(
        stub, pb.ListRequest(filter=filter_for_user(user), page_token=base64.urlsafe_b64encode(raw).decode())
    )


@given(st.text(max_size=100).filter(bool))
async def test_an_invented_page_token_is_refused(stub: Stub, invented: str) -> None:
    await assert_refused(stub, pb.ListRequest(filter=filter_for_user("u"), page_token=invented))


async def test_a_page_token_reveals_nothing(stub: Stub, user: str) -> None:
    [first, *_] = await store_at(stub, user, [1_700_000_000_000_000, 1_700_000_000_000_001])
    one, other = await token(stub, user), await token(stub, user)
    assert one != other, "tokens for the same position differ"
    raw = base64.urlsafe_b64decode(one)
    assert first.encode() not in raw
    assert bytes.fromhex(first) not in raw
