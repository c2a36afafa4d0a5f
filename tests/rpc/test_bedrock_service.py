"""A server that embeds with Titan on Bedrock, against a local endpoint that speaks its wire format."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedding.bedrock import TITAN_V1
from memory_service.server import run_server
from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, search, store_request, stub_for
from tests.support.bedrock_endpoint import Answer, Endpoint


@asynccontextmanager
async def titan_service(endpoint: Endpoint, valkey_url: str, index: str) -> AsyncIterator[Stub]:
    """Run a server that embeds at the endpoint; yield its stub."""
    settings = Settings(
        listen="127.0.0.1:0",
        valkey_url=SecretStr(valkey_url),
        index=index,
        embedder="bedrock",
        bedrock_region="us-east-1",
        bedrock_endpoint_url=endpoint.url,
        drain=0,
    )
    async with run_server(settings) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield stub_for(channel)


async def test_the_service_embeds_with_titan_and_reports_throttling(
    endpoint: Endpoint, valkey_url: str, user: str, new_index: Any
) -> None:
    async with titan_service(endpoint, valkey_url, new_index()) as stub:
        created = await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        assert (created.index.dimension, created.index.embedding_model) == (1536, TITAN_V1)
        await stub.Store(store_request(user, "what was said"), timeout=TIMEOUT)
        where = memory_pb2.MemoryFilter(user_id=user)
        hits, _ = await search(stub, pb.SearchRequest(query_text="what was said", filter=where))
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        endpoint.script = [Answer(429, "ThrottlingException")] * 2
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Store(store_request(user, "another"), timeout=TIMEOUT)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(caught.value)
        retry = error_details_pb2.RetryInfo()
        assert status is not None
        assert status.details[1].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() > 0


async def test_a_passed_client_deadline_is_not_logged_as_a_bug(
    endpoint: Endpoint, valkey_url: str, user: str, new_index: Any
) -> None:
    async with titan_service(endpoint, valkey_url, new_index()) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        endpoint.script = [Answer(delay=0.5)] * 16
        where = memory_pb2.MemoryFilter(user_id=user)
        with structlog.testing.capture_logs() as logged:
            for number in range(16):
                request = pb.SearchRequest(query_text=f"text {number}", filter=where)
                with pytest.raises(grpc.aio.AioRpcError):
                    _ = [response async for response in stub.Search(request, timeout=0.05)]
            await asyncio.sleep(0.1)
        assert [one for one in logged if one["event"] == "bug"] == []


async def test_a_text_that_is_too_long_is_named_by_its_request_field(
    endpoint: Endpoint, valkey_url: str, user: str, new_index: Any
) -> None:
    too_long = Answer(400, "ValidationException", "400 Bad Request: Too many input tokens. Max input tokens: 8192")
    async with titan_service(endpoint, valkey_url, new_index()) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        endpoint.script = [too_long, too_long]
        with pytest.raises(grpc.aio.AioRpcError) as store:
            await stub.Store(store_request(user, "a long message"), timeout=TIMEOUT)
        query = pb.SearchRequest(query_text="a long question", filter=memory_pb2.MemoryFilter(user_id=user))
        with pytest.raises(grpc.aio.AioRpcError) as searched:
            await search(stub, query)
    assert violated_fields(store.value) == ["content"]
    assert violated_fields(searched.value) == ["query_text"]


def violated_fields(error: grpc.aio.AioRpcError) -> list[str]:
    """Return the fields that the BadRequest of an error names."""
    status = rpc_status.from_call(error)
    bad_request = error_details_pb2.BadRequest()
    assert status is not None
    assert any(detail.Unpack(bad_request) for detail in status.details)
    return [violation.field for violation in bad_request.field_violations]
