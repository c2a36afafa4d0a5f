"""Every error fits into gRPC's trailers, for any request, and still names the fault."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import assume, given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    MemoryServiceError,
    NotFound,
    Reason,
    Violation,
)
from memory_service.rpc.errors import to_status
from memory_service.rpc.truncation import truncate
from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.credentials import error_reason
from tests.support.scale import examples

TEXTS = st.builds(
    lambda text, count: text * count, st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([1, 30, 5000])
)
REFUSALS = {"INVALID_REQUEST", "MEMORY_NOT_FOUND", "INDEX_NOT_FOUND"}


def status_within_limit(error: MemoryServiceError) -> rpc_status.status_pb2.Status:
    """Assert that an error fits into the trailers; return its status as a client reads it."""
    status = to_status(error)
    [(_, details)] = status.trailing_metadata
    assert len(grpc_message(status.details)) + len(details) * 4 / 3 < 6700
    return rpc_status.status_pb2.Status.FromString(details)


def grpc_message(text: str) -> str:
    """Return a message percent-encoded as in the grpc-message trailer."""
    return "".join(chr(one) if 32 <= one < 127 and one != 37 else f"%{one:02X}" for one in text.encode())


@given(st.sampled_from([InvalidRequest, NotFound, FailedPrecondition]), TEXTS, TEXTS, st.lists(TEXTS, max_size=40))
def test_every_error_fits_into_the_trailers(
    kind: type[MemoryServiceError], message: str, value: str, texts: list[str]
) -> None:
    violations = [Violation(text, text, text) for text in texts]
    error = kind(Reason.INVALID_REQUEST, message, metadata={"id": value}, violations=violations, retry_after=1.0)
    status = status_within_limit(error)
    assert status.message == truncate(message, 800)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "INVALID_REQUEST"
    assert any(one.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for one in status.details)


def test_some_of_twenty_long_violations_are_kept() -> None:
    error = InvalidRequest(
        Reason.INVALID_REQUEST, "m" * 800, violations=[Violation("f" * 200, "d" * 300, "r" * 50)] * 20
    )
    bad = error_details_pb2.BadRequest()
    assert status_within_limit(error).details[1].Unpack(bad)
    assert 4 <= len(bad.field_violations) < 20


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(3, 50))
def test_a_text_is_shortened_between_characters(text: str, most: int) -> None:
    short = truncate(text, most)
    assert len(short.encode()) <= most
    if len(text.encode()) <= most:
        assert short == text
    else:
        assert short.endswith("…")
        assert text.startswith(short[:-1])


async def error_of(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize("length", [65, 1000, 3000, 5000, 100_000])
@pytest.mark.parametrize("character", ["y", "é", "𝕳", "\n", "%"])
async def test_a_metadata_key_of_any_length_is_reported(stub: Stub, user: str, length: int, character: str) -> None:
    request = pb.StoreRequest(
        user_id=user, role=memory_pb2.ROLE_USER, content="x", metadata={character * length: "value"}
    )
    error = await error_of(stub.Store(request, timeout=TIMEOUT))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_reason(error) == "INVALID_REQUEST"
    assert "must be at most 64 bytes" in str(error.details())


@examples(25)
@given(
    st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=40),
    st.lists(TEXTS, max_size=40),
    TEXTS,
    TEXTS,
)
async def test_no_request_causes_an_error_too_large_to_send(
    stub: Stub, metadata: dict[str, str], labels: list[str], id_: str, session: str
) -> None:
    store = pb.StoreRequest(
        user_id="", role=memory_pb2.ROLE_USER, metadata=metadata, labels=labels, id=id_, session_id=session
    )
    found = memory_pb2.MemoryFilter(user_id=id_, session_ids=[session, *labels], any_labels=labels)
    matching = pb.DeleteMatchingRequest(index=session, filter=found, dry_run=True)
    get = pb.GetRequest(user_id="u", id=id_ or "x", index=session)
    assume(max(one.ByteSize() for one in (store, matching, get)) < 4 * 2**20)  # gRPC itself refuses larger requests
    assert error_reason(await error_of(stub.Store(store, timeout=TIMEOUT))) == "INVALID_REQUEST"
    assert error_reason(await error_of(stub.Get(get, timeout=TIMEOUT))) in REFUSALS
    matched = await asyncio.gather(stub.DeleteMatching(matching, timeout=TIMEOUT), return_exceptions=True)
    assert {error_reason(one) for one in matched if isinstance(one, grpc.aio.AioRpcError)} <= REFUSALS


async def test_errors_of_a_batch_are_bounded(stub: Stub, user: str) -> None:
    bad = pb.StoreRequest(
        user_id=user,
        role=memory_pb2.ROLE_USER,
        embedding=packed_embedding(1.0),
        metadata={"y" * 19_000 + str(n): "" for n in range(2)},
    )
    answer = await stub.BatchStore(pb.BatchStoreRequest(memories=[bad] * 100), timeout=TIMEOUT)
    assert answer.ByteSize() < 2**18
    assert all("must be at most 64 bytes" in one.error.message for one in answer.results)
