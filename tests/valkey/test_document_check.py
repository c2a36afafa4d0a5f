"""`memory-service doctor` names invalid documents and changes nothing."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.doctor.finding import Finding, State
from memory_service.doctor.index import check_documents
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, packed_embedding

GOOD = {"user_id": "a", "role": "user", "content": "d", "timestamp": 1, "embedding": [0.05] * 384}
FLAWS: dict[str, tuple[dict[str, Any], str]] = {
    "no_user": ({"user_id": None}, "has no user_id"),
    "milliseconds": ({"timestamp": 1700000000000}, "which is not a time in seconds"),
    "text_time": ({"timestamp": "yesterday"}, "which is not a time in seconds"),
    "no_embedding": ({"embedding": None}, "has no embedding of 384 dimensions"),
    "short": ({"embedding": [1, 2]}, "has no embedding of 384 dimensions"),
    "zero": ({"embedding": [0] * 384}, "zero or not finite"),
}


@pytest.fixture
async def index(stub: Stub) -> AsyncIterator[str]:
    """An index of JSON documents with one memory."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    ensure = pb.EnsureIndexRequest(index=name, layout=index_pb2.LAYOUT_JSON)
    await stub.EnsureIndex(ensure, timeout=TIMEOUT)
    item = pb.StoreRequest(
        index=name, user_id="a", role=memory_pb2.ROLE_USER, content="c", embedding=packed_embedding(1.0)
    )
    await stub.Store(item, timeout=TIMEOUT)
    yield name
    await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)


async def check(index: str, engine: Connections) -> Finding:
    finding = await check_documents(index, engine)
    assert finding is not None
    return finding


async def test_valid_memories_are_good(index: str, engine: Connections) -> None:
    finding = await check(index, engine)
    assert (finding.state, finding.summary) == (State.GOOD, f"{index}: 1 documents checked, all valid")


@pytest.mark.parametrize("name", FLAWS)
async def test_a_damaged_document_is_reported_with_its_flaw(index: str, engine: Connections, name: str) -> None:
    changes, flaw = FLAWS[name]
    await engine.run(["JSON.SET", f"mem_{index}:{name}", "$", json.dumps({**GOOD, **changes})])
    finding = await check(index, engine)
    assert finding.state is State.RISK
    assert f"1 of 2 checked documents are not valid memories: mem_{index}:{name} " in finding.summary
    assert flaw in finding.summary


async def test_the_key_of_another_program_is_reported(index: str, engine: Connections) -> None:
    key = f"mem_{index}:other"
    await engine.run(["SET", key, "x"])
    finding = await check(index, engine)
    assert f"{key} is not a JSON document" in finding.summary
    assert await engine.run(["GET", key]) == b"x"
    await engine.run(["DEL", key])
