"""Calls by keyword: they send the same request as a message with these fields."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory import AsyncMemoryClient, MemoryClient, pack
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.index_pb2 import ALGORITHM_FLAT, LAYOUT_HASH
from semantic_memory.v1.memory_pb2 import ROLE_TOOL, ROLE_USER, MemoryFilter
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceServicer, add_MemoryServiceServicer_to_server

MORNING = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=1)))
EIGHT = Timestamp(seconds=1767254400)

# method, arguments, keywords, the request that arrives
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    (
        "store",
        ("We ship on Fridays",),
        {
            "index": "notes",
            "user_id": "me",
            "session_id": "monday",
            "role": "user",
            "timestamp": MORNING,
            "id": "m",
            "ttl": timedelta(days=1, milliseconds=5),
            "embedding": [0.6, 0.8],
            "embedding_model": "own",
            "labels": ["a", "b"],
            "metadata": {"key": "value"},
            "near_duplicate_min_score": 0.0,
        },
        pb.StoreRequest(
            index="notes",
            user_id="me",
            session_id="monday",
            role=ROLE_USER,
            content="We ship on Fridays",
            timestamp=EIGHT,
            id="m",
            ttl=Duration(seconds=86400, nanos=5_000_000),
            embedding=pack([0.6, 0.8]),
            embedding_model="own",
            labels=["a", "b"],
            metadata={"key": "value"},
            near_duplicate_min_score=0.0,
        ),
    ),
    (
        "store",
        (),
        {
            "content": "x",
            "request_id": "r",
            "expire_time": EIGHT,
            "embedding": b"1234",
            "role": ROLE_TOOL,
            "labels": "a",
        },
        pb.StoreRequest(
            content="x", request_id="r", expire_time=EIGHT, embedding=b"1234", role=ROLE_TOOL, labels=["a"]
        ),
    ),
    (
        "batch_store",
        ([{"content": "x", "id": "1", "role": "tool"}, pb.StoreRequest(content="y", id="2")],),
        {"index": "notes"},
        pb.BatchStoreRequest(
            index="notes",
            memories=[pb.StoreRequest(content="x", id="1", role=ROLE_TOOL), pb.StoreRequest(content="y", id="2")],
        ),
    ),
    (
        "search",
        ("When do we release?",),
        {"user_id": "me", "k": 5},
        pb.SearchRequest(query_text="When do we release?", filter=MemoryFilter(user_id="me"), k=5),
    ),
    (
        "search",
        (),
        {
            "query_embedding": [1.0],
            "mode": "hybrid",
            "k": 0,
            "min_score": 0,
            "recency": {"half_life": timedelta(days=7), "weight": 0.5},
            "context": {"before": 1, "after": 2},
            "consistency": "partial",
            "exclude_ids": ["m"],
            "session_ids": "monday",
            "roles": ["user", "ROLE_TOOL"],
            "start_time": MORNING,
            "text_weight": None,
        },
        pb.SearchRequest(
            query_embedding=pack([1.0]),
            mode=pb.SEARCH_MODE_HYBRID,
            k=0,
            min_score=0,
            recency=pb.Recency(half_life=Duration(seconds=7 * 86400), weight=0.5),
            context=pb.ContextSize(before=1, after=2),
            consistency=pb.CONSISTENCY_PARTIAL,
            exclude_ids=["m"],
            filter=MemoryFilter(session_ids=["monday"], roles=[ROLE_USER, ROLE_TOOL], start_time=EIGHT),
        ),
    ),
    (
        "search",
        ("x",),
        {"filter": MemoryFilter(all_users=True)},
        pb.SearchRequest(query_text="x", filter=MemoryFilter(all_users=True)),
    ),
    (
        "list",
        (),
        {"user_id": "me", "order": "newest_first", "page_size": 9},
        pb.ListRequest(filter=MemoryFilter(user_id="me"), order=pb.LIST_ORDER_NEWEST_FIRST, page_size=9),
    ),
    ("list", (), {}, pb.ListRequest(filter=MemoryFilter())),
    ("get", ("m",), {"user_id": "me"}, pb.GetRequest(user_id="me", id="m")),
    ("delete", ("m",), {"user_id": "me"}, pb.DeleteRequest(user_id="me", ids=["m"])),
    ("delete", (["m", "n"],), {"all_users": True}, pb.DeleteRequest(all_users=True, ids=["m", "n"])),
    (
        "delete_matching",
        (),
        {"user_id": "me", "any_labels": ["a"], "dry_run": True},
        pb.DeleteMatchingRequest(filter=MemoryFilter(user_id="me", any_labels=["a"]), dry_run=True),
    ),
    (
        "ensure_index",
        ("notes",),
        {"dimension": 3, "algorithms": "flat", "layout": "hash"},
        pb.EnsureIndexRequest(index="notes", dimension=3, algorithms=[ALGORITHM_FLAT], layout=LAYOUT_HASH),
    ),
    ("ensure_index", (), {}, pb.EnsureIndexRequest()),
    ("list_indexes", (), {}, pb.ListIndexesRequest()),
    ("get_index", ("notes",), {}, pb.GetIndexRequest(index="notes")),
    ("drop_index", ("notes",), {"delete_memories": True}, pb.DropIndexRequest(index="notes", delete_memories=True)),
]


class Recorder(MemoryServiceServicer):
    """Answers every RPC and records its request."""

    def __init__(self) -> None:
        self.requests: list[Any] = []


def _record(response: Any) -> Any:
    def handle(self: Recorder, request: Any, _: Any) -> Any:
        self.requests.append(request)
        return response

    return handle


for _method in pb.DESCRIPTOR.services_by_name["MemoryService"].methods:
    _response = getattr(pb, _method.output_type.name)()
    setattr(Recorder, _method.name, _record(iter(()) if _method.name == "Search" else _response))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def address(recorder: Recorder) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    add_MemoryServiceServicer_to_server(recorder, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.mark.parametrize(("method", "arguments", "keywords", "request_message"), CALLS)
def test_keywords_send_the_same_request_as_a_message(
    address: str, recorder: Recorder, method: str, arguments: Any, keywords: Any, request_message: Any
) -> None:
    with MemoryClient(address) as client:
        for result in (getattr(client, method)(*arguments, **keywords), getattr(client, method)(request_message)):
            if method == "search":
                assert list(result) == []
    assert recorder.requests == [request_message, request_message]


@pytest.mark.parametrize(("method", "arguments", "keywords", "request_message"), CALLS)
async def test_keywords_send_the_same_request_as_a_message_by_asyncio(
    address: str, recorder: Recorder, method: str, arguments: Any, keywords: Any, request_message: Any
) -> None:
    async with AsyncMemoryClient(address) as client:
        call = getattr(client, method)(*arguments, **keywords)
        if method == "search":
            assert [hit async for hit in call] == []
        else:
            await call
    assert recorder.requests == [request_message]


def test_a_timeout_stands_beside_the_fields(address: str) -> None:
    with MemoryClient(address) as client:
        assert client.get("m", user_id="me", timeout=5.0) == pb.GetResponse()


def test_now_is_a_time(address: str, recorder: Recorder) -> None:
    now = datetime.now(UTC)
    with MemoryClient(address) as client:
        client.store("x", user_id="me", role="user", timestamp=now)
    assert recorder.requests[0].timestamp.ToDatetime(UTC) == now
