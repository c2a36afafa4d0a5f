"""The service reads the index and documents of the Valkey cookbook, and the cookbook's code reads ours."""

import json
import uuid
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedding import bedrock
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, packed_embedding, search, stub_for

CREATE = (
    "FT.CREATE memory_idx ON JSON PREFIX 1 mem: SCHEMA $.session_id AS session_id TAG $.role AS role TAG "
    "$.user_id AS user_id TAG $.timestamp AS timestamp NUMERIC "
    "$.embedding AS embedding VECTOR HNSW 6 DIM 1536 DISTANCE_METRIC COSINE TYPE FLOAT32"
)
CREATED = ["memory_idx", "memory_idx_flat"]


@pytest.fixture
async def cookbook(engine: Connections) -> AsyncIterator[Connections]:
    """An engine with the cookbook's index."""
    await clear(engine)
    await engine.run(CREATE.split())
    yield engine
    await clear(engine)


async def clear(engine: Connections) -> None:
    names = {bytes(one).decode() for one in await engine.run(["FT._LIST"])}
    for name in names.intersection(CREATED):
        await engine.run(["FT.DROPINDEX", name])
    await engine.run(["DEL", "semantic_memory:index:memory_idx"])


@pytest.fixture
async def titan(cookbook: Connections, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    """A stub of a server with Titan v1 on the cookbook's index. No call in these tests embeds anything."""
    assert cookbook is not None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = Settings(
        listen="127.0.0.1:0", valkey_url=SecretStr(valkey_url), embedder="bedrock", bedrock_region="us-east-1", drain=0
    )
    async with run_server(settings) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield stub_for(channel)


async def test_the_cookbooks_index_is_adopted_and_its_documents_are_found(
    titan: Stub, cookbook: Connections, user: str
) -> None:
    key = f"mem:{uuid.uuid4()}"
    document = {
        "session_id": "sess_1",
        "user_id": user,
        "role": "assistant",
        "content": "We deployed to ECS",
        "timestamp": 1700000000.123,
        "embedding": np.frombuffer(packed_embedding(1.0, 1.0, dimension=1536), "<f4").tolist(),
    }
    await cookbook.run(["JSON.SET", key, "$", json.dumps(document)])
    request = pb.SearchRequest(
        query_embedding=packed_embedding(1.0, dimension=1536),
        filter=memory_pb2.MemoryFilter(user_id=user, session_ids=["sess_1"], roles=[memory_pb2.ROLE_ASSISTANT]),
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await search(titan, request)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION, "its model is unknown before EnsureIndex"

    adopted = await titan.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    assert adopted.index.embedding_model == bedrock.TITAN_V1
    assert not (await titan.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)).created

    hits, _ = await search(titan, request)
    assert [hit.memory.content for hit in hits] == ["We deployed to ECS"]
    assert hits[0].score == pytest.approx(0.7071, abs=1e-3)
    assert hits[0].memory.timestamp.ToMilliseconds() == pytest.approx(1_700_000_000_123, abs=10)
    id_ = key.removeprefix("mem:")
    got = await titan.Get(pb.GetRequest(user_id=user, id=id_), timeout=TIMEOUT)
    assert got.memory.timestamp.ToMilliseconds() == 1_700_000_000_123
    request.filter.start_time.FromMilliseconds(1_700_000_000_123)
    assert len((await search(titan, request))[0]) == 1
    request.filter.start_time.FromMilliseconds(1_700_000_000_124)
    assert (await search(titan, request))[0] == []
    deleted = await titan.Delete(pb.DeleteRequest(user_id=user, ids=[id_]), timeout=TIMEOUT)
    assert list(deleted.deleted_ids) == [id_]


async def test_our_documents_are_found_by_the_cookbooks_code(titan: Stub, cookbook: Connections, user: str) -> None:
    await titan.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    request = pb.StoreRequest(
        user_id=user,
        session_id="sess_9",
        role=memory_pb2.ROLE_USER,
        content="hello",
        embedding=packed_embedding(3.0, 4.0, dimension=1536),
    )
    request.timestamp.FromMilliseconds(1_700_000_000_123)
    stored = await titan.Store(request, timeout=TIMEOUT)
    query = f"(@user_id:{{{user}}} @session_id:{{sess_9}})=>[KNN 3 @embedding $vec AS score]"
    vec = packed_embedding(1.0, dimension=1536)
    found = await cookbook.run(["FT.SEARCH", "memory_idx", query, "PARAMS", "2", "vec", vec, "DIALECT", "2"])
    [(key, fields)] = found[1].items()
    assert key == f"mem:{stored.id}".encode()
    assert 1 - float(fields[b"score"]) == pytest.approx(0.6, abs=1e-6)
    document = json.loads(fields[b"$"])
    assert (document["user_id"], document["session_id"], document["role"]) == (user, "sess_9", "user")
    assert (document["content"], document["timestamp"]) == ("hello", 1700000000.123)
    assert document["embedding"][:3] == pytest.approx([0.6, 0.8, 0.0])
    await titan.Delete(pb.DeleteRequest(user_id=user, ids=[stored.id]), timeout=TIMEOUT)
