"""Wrong arguments of a call by keyword: an error names the field before anything is sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from semantic_memory import MemoryClient
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import MemoryFilter

NOW = datetime.now(UTC)

# method, arguments, keywords, error, its message
WRONG_CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("search", ("x",), {"usr_id": "me"}, TypeError, "usr_id is not a field of SearchRequest: did you mean user_id?"),
    ("get_index", (), {"wrong": 1}, TypeError, "wrong is not a field of GetIndexRequest: use one of index"),
    ("search", ("x",), {"k": -1}, ValueError, "k is -1 (int): it must be a non-negative integer"),
    ("search", ("x",), {"k": "5"}, TypeError, "k is '5' (str): it must be a non-negative integer"),
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
    ("search", ("x",), {"filter": MemoryFilter(), "user_id": "me"}, TypeError, "filter and user_id are both set"),
    ("search", ("x",), {"query_text": "y"}, TypeError, "query_text is set twice"),
    ("search", (pb.SearchRequest(),), {"k": 1}, TypeError, "k is set beside a SearchRequest: set it in the request"),
    ("search", (pb.ListRequest(),), {}, TypeError, "pass a SearchRequest, or keyword arguments"),
    ("list", ("me",), {}, TypeError, "the first argument is 'me' (str): pass a ListRequest, or keyword arguments"),
    ("store", ("x",), {"role": "users"}, ValueError, "role is 'users' (str): use one of 'user', 'assistant', 'system'"),
    ("store", ("x",), {"role": 9}, ValueError, "role is 9 (int): use one of"),
    ("store", ("x",), {"timestamp": datetime(2026, 1, 1)}, ValueError, "timestamp is a datetime without a time zone"),  # noqa: DTZ001 - the missing zone is what is tested
    ("store", ("x",), {"timestamp": 5}, TypeError, "timestamp is 5 (int): it must be a datetime or a Timestamp"),
    ("store", ("x",), {"ttl": 60}, TypeError, "ttl is 60 (int): it must be a timedelta or a Duration"),
    (
        "store",
        ("x",),
        {"ttl": timedelta(1), "expire_time": NOW},
        TypeError,
        "ttl and expire_time are both set: use one",
    ),
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
    (
        "batch_store",
        ([{"ttl": timedelta(1), "expire_time": NOW}],),
        {},
        TypeError,
        "memories[0].ttl and memories[0].expire_time are both set: use one of them",
    ),
    ("batch_store", ([5],), {}, TypeError, "memories[0] is 5 (int): it must be a dict or a StoreRequest"),
]


@pytest.mark.parametrize(("method", "arguments", "keywords", "error", "message"), WRONG_CALLS)
def test_a_wrong_argument_is_named(
    method: str, arguments: Any, keywords: Any, error: type[Exception], message: str
) -> None:
    with MemoryClient("127.0.0.1:1") as client, pytest.raises(error) as raised:
        getattr(client, method)(*arguments, **keywords)
    assert message in str(raised.value)
    assert type(raised.value) is error
