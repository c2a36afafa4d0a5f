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

# method, arguments, keywords, error, its message
WRONG_CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("search", ("x",), {"usr_id": "me"}, TypeError, "usr_id is not a field of SearchRequest: did you mean user_id?"),
    ("get_index", (), {"wrong": 1}, TypeError, "wrong is not a field of GetIndexRequest: use one of index"),
    ("search", ("x",), {"k": -1}, ValueError, "k is -1 (int): it must be a whole number, 0 or more"),
    ("search", ("x",), {"k": "5"}, TypeError, "k is '5' (str): it must be a whole number, 0 or more"),
    ("search", ("x",), {"min_score": "a"}, TypeError, "min_score is 'a' (str): it must be a number"),
    ("search", ("x",), {"mode": "fuzzy"}, ValueError, "mode is 'fuzzy' (str): use one of 'vector', 'text', 'hybrid'"),
    ("search", ("x",), {"session_ids": [1]}, TypeError, "session_ids is [1] (list): it must be a list of str"),
    (
        "search",
        ("x",),
        {"context": {"befor": 1}},
        TypeError,
        "context.befor is not a field of ContextSize: did you mean",
    ),
    ("search", ("x",), {"context": 2}, TypeError, "context is 2 (int): it must be a dict or a ContextSize"),
    ("search", ("x",), {"filter": MemoryFilter(), "user_id": "me"}, TypeError, "filter and user_id are both given"),
    ("search", ("x",), {"query_text": "y"}, TypeError, "query_text is given twice"),
    ("search", (pb.SearchRequest(),), {"k": 1}, TypeError, "k is given beside a SearchRequest: set it in the request"),
    ("search", (pb.ListRequest(),), {}, TypeError, "pass a SearchRequest, or keyword arguments"),
    ("list", ("me",), {}, TypeError, "the first argument is 'me' (str): pass a ListRequest, or keyword arguments"),
    ("store", ("x",), {"role": "users"}, ValueError, "role is 'users' (str): use one of 'user', 'assistant', 'system'"),
    ("store", ("x",), {"role": 9}, ValueError, "role is 9 (int): use one of"),
    ("store", ("x",), {"timestamp": datetime(2026, 1, 1)}, ValueError, "timestamp is a datetime without a time zone"),  # noqa: DTZ001
    ("store", ("x",), {"timestamp": 5}, TypeError, "timestamp is 5 (int): it must be a datetime or a Timestamp"),
    ("store", ("x",), {"ttl": 60}, TypeError, "ttl is 60 (int): it must be a timedelta or a Duration"),
    ("store", ("x",), {"embedding": "x"}, TypeError, "embedding is 'x' (str): it must be bytes or a list of numbers"),
    ("store", ("x",), {"metadata": ["a"]}, TypeError, "metadata is ['a'] (list): it must be a dict of str to str"),
    (
        "store",
        ("x",),
        {"metadata": {"a": 1}},
        TypeError,
        "metadata is {'a': 1} (dict): it must be a dict of str to str",
    ),
    ("store", (5,), {}, TypeError, "content is 5 (int): it must be a str"),
    ("store", ("\ud800",), {}, ValueError, "content has a lone surrogate at 0, which UTF-8 cannot encode: remove it"),
    ("batch_store", ([{"role": "none"}],), {}, ValueError, "memories[0].role is 'none' (str): use one of"),
    ("batch_store", ([5],), {}, TypeError, "memories[0] is 5 (int): it must be a dict or a StoreRequest"),
]


class Recorder(MemoryServiceServicer):
    """Answers every RPC and keeps its request."""

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


@pytest.mark.parametrize(("method", "arguments", "keywords", "error", "message"), WRONG_CALLS)
def test_a_wrong_argument_is_named(
    address: str, method: str, arguments: Any, keywords: Any, error: type[Exception], message: str
) -> None:
    with MemoryClient(address) as client, pytest.raises(error) as raised:
        getattr(client, method)(*arguments, **keywords)
    assert message in str(raised.value)
    assert type(raised.value) is error
