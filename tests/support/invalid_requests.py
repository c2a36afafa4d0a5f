"""Requests that violate a limit of the contract, each with the field at fault, and the errors that they get."""

import math
from typing import Any, cast

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, Stub, packed_embedding

USER = memory_pb2.ROLE_USER

ALICE = memory_pb2.MemoryFilter(user_id="alice")


UNKNOWN = cast("memory_pb2.Role", 7)


LONG_ID = "é" * 129  # 258 bytes in 129 characters


def store(**changes: Any) -> pb.StoreRequest:
    return pb.StoreRequest(**{"user_id": "alice", "role": USER, "content": "text", **changes})


def search(**changes: Any) -> pb.SearchRequest:
    return pb.SearchRequest(**{"query_text": "text", "filter": ALICE, **changes})


def by_embedding(packed_embedding: bytes) -> pb.SearchRequest:
    return search(query_text="", query_embedding=packed_embedding)


CASES: dict[str, tuple[Message, str]] = {
    "store: empty content": (store(content=""), "content"),
    "store: content over 50,000 characters": (store(content="é" * 50_001), "content"),
    "store: no user": (store(user_id=""), "user_id"),
    "store: user over 256 bytes": (store(user_id=LONG_ID), "user_id"),
    "store: session over 256 bytes": (store(session_id=LONG_ID), "session_id"),
    "store: id over 256 bytes": (store(id=LONG_ID), "id"),
    "store: request_id over 256 bytes": (store(request_id=LONG_ID), "request_id"),
    "store: id and request_id": (store(id="a", request_id="b"), ""),
    "store: no role": (store(role=memory_pb2.ROLE_UNSPECIFIED), "role"),
    "store: unknown role": (store(role=99), "role"),
    "store: embedding of the wrong length": (store(embedding=packed_embedding(1.0, dimension=383)), "embedding"),
    "store: embedding of half a number": (store(embedding=b"\0" * 1537), "embedding"),
    "store: embedding with NaN": (store(embedding=packed_embedding(math.nan)), "embedding"),
    "store: embedding with infinity": (store(embedding=packed_embedding(math.inf)), "embedding"),
    "store: embedding of zeros": (store(embedding=packed_embedding(0.0)), "embedding"),
    "store: embedding far too long": (store(embedding=packed_embedding(1.0, dimension=40_000)), "embedding"),
    "store: time out of range": (store(timestamp=Timestamp(seconds=10**15)), "timestamp"),
    "store: nanos out of range": (store(timestamp=Timestamp(nanos=-1)), "timestamp"),
    "store: index of another form": (store(index="Robert'); DROP"), "index"),
    "search: k of 0": (search(k=0), "k"),
    "search: k over the maximum": (search(k=1001), "k"),
    "search: neither text nor embedding": (search(query_text=""), ""),
    "search: both text and embedding": (search(query_embedding=packed_embedding(1.0)), ""),
    "search: query over 50,000 characters": (search(query_text="x" * 50_001), "query_text"),
    "search: embedding of the wrong length": (
        by_embedding(packed_embedding(1.0, dimension=2)),
        "query_embedding",
    ),
    "search: embedding with NaN": (by_embedding(packed_embedding(math.nan)), "query_embedding"),
    "search: embedding of zeros": (by_embedding(packed_embedding(0.0)), "query_embedding"),
    "search: no filter": (pb.SearchRequest(query_text="text"), "filter"),
    "search: empty filter without all_users": (search(filter=memory_pb2.MemoryFilter()), "filter"),
    "search: only a session": (search(filter=memory_pb2.MemoryFilter(session_ids=["s"])), "filter"),
    "search: a user and all users": (search(filter=memory_pb2.MemoryFilter(user_id="a", all_users=True)), "filter"),
    "search: an unknown role": (
        search(filter=memory_pb2.MemoryFilter(user_id="a", roles=[UNKNOWN])),
        "filter.roles[0]",
    ),
    "search: an empty session": (
        search(filter=memory_pb2.MemoryFilter(user_id="a", session_ids=["s", ""])),
        "filter.session_ids[1]",
    ),
    "search: too many sessions": (
        search(filter=memory_pb2.MemoryFilter(user_id="a", session_ids=[str(n) for n in range(17)])),
        "filter.session_ids",
    ),
    "search: a range that ends before it starts": (
        search(
            filter=memory_pb2.MemoryFilter(user_id="a", start_time=Timestamp(seconds=2), end_time=Timestamp(seconds=1))
        ),
        "filter",
    ),
    "search: an empty range": (
        search(
            filter=memory_pb2.MemoryFilter(
                user_id="a", start_time=Timestamp(seconds=1), end_time=Timestamp(seconds=1, nanos=1)
            )
        ),
        "filter.end_time",
    ),
    "search: a session both included and excluded": (
        search(filter=memory_pb2.MemoryFilter(user_id="a", session_ids=["s"], exclude_session_ids=["s"])),
        "filter",
    ),
    "search: an empty label": (
        search(filter=memory_pb2.MemoryFilter(user_id="a", any_labels=[""])),
        "filter.any_labels[0]",
    ),
    "search: a label over 64 bytes": (
        search(filter=memory_pb2.MemoryFilter(user_id="a", all_labels=["x" * 65])),
        "filter.all_labels[0]",
    ),
    "search: an unknown mode": (search(mode=9), "mode"),
    "search: TEXT without a text": (search(query_text="", mode="SEARCH_MODE_TEXT"), ""),
    "search: TEXT with an embedding": (search(query_embedding=packed_embedding(1.0), mode="SEARCH_MODE_TEXT"), ""),
    "search: TEXT with a least cosine similarity": (search(min_score=0.1, mode="SEARCH_MODE_TEXT"), ""),
    "search: TEXT with diversity": (search(diversity=0.1, mode="SEARCH_MODE_TEXT"), ""),
    "search: HYBRID without a text": (
        search(query_text="", query_embedding=packed_embedding(1.0), mode="SEARCH_MODE_HYBRID"),
        "",
    ),
    "search: a weight of words without HYBRID": (search(text_weight=0.5), ""),
    "search: text_weight over 1": (search(text_weight=1.1, mode="SEARCH_MODE_HYBRID"), "text_weight"),
    "search: neighbor_weight of 0": (search(neighbor_weight=0.0), "neighbor_weight"),
    "search: diversity not a number": (search(diversity=math.nan), "diversity"),
    "search: recency without a half-life": (search(recency=pb.Recency()), "recency.half_life"),
    "search: a half-life of nothing": (search(recency=pb.Recency(half_life=Duration())), "recency.half_life"),
    "search: a negative weight of recency": (
        search(recency=pb.Recency(half_life=Duration(seconds=60), weight=-0.1)),
        "recency.weight",
    ),
    "search: context of nothing": (search(context=pb.ContextSize()), "context"),
    "search: context too large": (search(context=pb.ContextSize(before=11)), "context.before"),
    "search: context of too many hits": (search(context=pb.ContextSize(before=1), k=101), ""),
    "search: too many hits to be ranked again": (search(diversity=0.5, k=201), ""),
    "search: an empty id to leave out": (search(exclude_ids=[""]), "exclude_ids[0]"),
    "search: too many ids to leave out": (search(exclude_ids=[str(n) for n in range(101)]), "exclude_ids"),
    "search: ef_runtime of 0": (search(ef_runtime=0), "ef_runtime"),
    "search: an unknown consistency": (search(consistency=9), "consistency"),
    "store: a ttl of nothing": (store(ttl=Duration()), "ttl"),
    "store: a negative ttl": (store(ttl=Duration(seconds=-5)), "ttl"),
    "store: a ttl over 100 years": (store(ttl=Duration(seconds=3_153_600_001)), "ttl"),
    "store: an end that has passed": (store(expire_time=Timestamp(seconds=1)), "expire_time"),
    "store: a label twice": (store(labels=["a", "a"]), "labels"),
    "store: an empty label": (store(labels=["a", ""]), "labels[1]"),
    "store: a label over 64 bytes": (store(labels=["é" * 33]), "labels[0]"),
    "store: too many labels": (store(labels=[str(n) for n in range(17)]), "labels"),
    "store: an empty key of metadata": (store(metadata={"": "v"}), 'metadata[""]'),
    "store: a long value of metadata": (store(metadata={"k": "v" * 4097}), 'metadata["k"]'),
    "store: too much metadata": (store(metadata={str(n): "v" for n in range(33)}), "metadata"),
    "store: near duplicates beyond the range": (store(near_duplicate_min_score=1.01), "near_duplicate_min_score"),
    "batch: no memories": (pb.BatchStoreRequest(), "memories"),
    "batch: too many memories": (pb.BatchStoreRequest(memories=[store()] * 101), "memories"),
    "list: no filter": (pb.ListRequest(), "filter"),
    "list: no scope": (pb.ListRequest(filter=memory_pb2.MemoryFilter(session_ids=["s"])), "filter"),
    "list: a page of 0": (pb.ListRequest(filter=ALICE, page_size=0), "page_size"),
    "list: a page over the maximum": (pb.ListRequest(filter=ALICE, page_size=1001), "page_size"),
    "list: an unknown order": (pb.ListRequest(filter=ALICE, order=cast("Any", 9)), "order"),
    "list: a token that is none": (pb.ListRequest(filter=ALICE, page_token="next"), "page_token"),
    "delete matching: no filter": (pb.DeleteMatchingRequest(), "filter"),
    "delete matching: an empty filter": (pb.DeleteMatchingRequest(filter=memory_pb2.MemoryFilter()), "filter"),
    "delete matching: everything of everyone": (
        pb.DeleteMatchingRequest(filter=memory_pb2.MemoryFilter(all_users=True)),
        "",
    ),
    "delete matching: everyone's but one session": (
        pb.DeleteMatchingRequest(filter=memory_pb2.MemoryFilter(all_users=True, exclude_session_ids=["s"])),
        "",
    ),
    "drop index: no name": (pb.DropIndexRequest(), "index"),
    "search: min_score out of range": (search(min_score=1.5), "min_score"),
    "search: min_score not a number": (search(min_score=math.nan), "min_score"),
    "get: no id": (pb.GetRequest(user_id="a"), "id"),
    "get: no scope": (pb.GetRequest(id="a"), ""),
    "get: two scopes": (pb.GetRequest(id="a", user_id="a", all_users=True), ""),
    "delete: no ids": (pb.DeleteRequest(user_id="a"), "ids"),
    "delete: an empty id": (pb.DeleteRequest(user_id="a", ids=["a", ""]), "ids[1]"),
    "delete: too many ids": (pb.DeleteRequest(user_id="a", ids=[str(n) for n in range(1001)]), "ids"),
    "delete: no scope": (pb.DeleteRequest(ids=["a"]), ""),
    "ensure: dimension 0": (pb.EnsureIndexRequest(dimension=0), "dimension"),
    "ensure: dimension too large": (pb.EnsureIndexRequest(dimension=32_769), "dimension"),
    "ensure: a reserved name": (pb.EnsureIndexRequest(index="mine_flat"), "index"),
    "ensure: another model without its dimension": (pb.EnsureIndexRequest(embedding_model="mine"), "dimension"),
    "ensure: an algorithm twice": (
        pb.EnsureIndexRequest(algorithms=["ALGORITHM_HNSW"] * 2),
        "algorithms",
    ),
    "get index: a name of another form": (pb.GetIndexRequest(index="*"), "index"),
}


async def call(stub: Stub, request: Message) -> None:
    """Call the method of a request, and read the response to its end."""
    method = getattr(stub, type(request).__name__.removesuffix("Request"))
    if isinstance(request, pb.SearchRequest):
        async for _ in method(request, timeout=TIMEOUT):
            pass
    else:
        await method(request, timeout=TIMEOUT)


async def error_of(stub: Stub, request: Message) -> tuple[grpc.aio.AioRpcError, error_details_pb2.ErrorInfo, Any]:
    """Assert that a request fails; return the error, its ErrorInfo and its second detail, if any."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stub, request)
    status = rpc_status.from_call(caught.value)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "semantic-memory"
    return caught.value, info, status.details[1] if len(status.details) > 1 else None


async def key_count(engine: Connections) -> int:
    """Count the engine's keys, without the key that the first page token creates."""
    return int(await engine.run(["DBSIZE"])) - int(await engine.run(["EXISTS", "semantic_memory:secret"]))
