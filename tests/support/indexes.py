"""Requests for indexes of three dimensions, and how EnsureIndex refuses one that differs."""

from collections.abc import Callable

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, packed_embedding

NewIndex = Callable[[], str]


BOTH_ALGORITHMS = [index_pb2.ALGORITHM_HNSW, index_pb2.ALGORITHM_FLAT]


def ensure_request(name: str, dimension: int = 3, **changes: object) -> pb.EnsureIndexRequest:
    return pb.EnsureIndexRequest(index=name, dimension=dimension, embedding_model="mine", **changes)  # type: ignore[arg-type]


async def differences(stub: Stub, request: pb.EnsureIndexRequest) -> set[str]:
    """Assert that EnsureIndex refuses a request; return the subjects of the differences."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.EnsureIndex(request, timeout=TIMEOUT)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    status = rpc_status.from_call(caught.value)
    unmet = error_details_pb2.PreconditionFailure()
    assert status is not None
    assert status.details[1].Unpack(unmet)
    return {one.subject for one in unmet.violations}


async def store_one(stub: Stub, name: str, user: str) -> str:
    request = pb.StoreRequest(
        index=name, user_id=user, role=memory_pb2.ROLE_USER, content="c", embedding=packed_embedding(1.0, dimension=3)
    )
    return (await stub.Store(request, timeout=TIMEOUT)).id
