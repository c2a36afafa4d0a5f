"""Invalid requests are refused by field, before the engine or the embedder is called."""

import grpc
import pytest
from google.rpc import error_details_pb2
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.invalid_requests import CASES, call, error_of, key_count

USER = memory_pb2.ROLE_USER


@pytest.mark.parametrize("case", CASES)
async def test_an_invalid_request_names_its_field_and_changes_nothing(
    stub: Stub, engine: Connections, case: str
) -> None:
    request, field = CASES[case]
    before = await key_count(engine)
    error, info, detail = await error_of(stub, request)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert info.reason in {"INVALID_REQUEST", "DIMENSION_MISMATCH"}
    bad = error_details_pb2.BadRequest()
    assert detail.Unpack(bad)
    assert field in [one.field for one in bad.field_violations]
    assert all(one.description and one.reason for one in bad.field_violations)
    assert await key_count(engine) == before


async def test_values_at_the_limit_are_accepted(stub: Stub, user: str) -> None:
    name = user + "é" * ((256 - len(user)) // 2)
    request = pb.StoreRequest(
        user_id=name,
        session_id="s" * 256,
        role=USER,
        content="🙂" * 50_000,
        id="i" * 256,
        embedding=packed_embedding(1.0),
    )
    stored = await stub.Store(request, timeout=TIMEOUT)
    got = await stub.Get(pb.GetRequest(user_id=name, id=stored.id), timeout=TIMEOUT)
    assert got.memory.content == request.content
    sessions = ["s" * 256, *(chr(0x4E00 + n) * 85 for n in range(15))]
    where = memory_pb2.MemoryFilter(user_id=name, session_ids=sessions)
    await call(stub, pb.SearchRequest(query_text="🙂", filter=where, k=1000))


async def test_at_most_twenty_violations_are_reported(stub: Stub) -> None:
    request = pb.DeleteRequest(user_id="a", ids=[""] * 900)
    _, _, detail = await error_of(stub, request)
    bad = error_details_pb2.BadRequest()
    assert detail.Unpack(bad)
    assert len(bad.field_violations) == 20
