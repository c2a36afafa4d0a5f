"""API requests from the fields of a form."""

import re

from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.options import Role, memory_filter, parse_duration, parse_time
from memory_service.console.forms import Form

MODES = ("vector", "text", "hybrid")
ROLES = tuple(role.value for role in Role)


def filter_of(form: Form) -> memory_pb2.MemoryFilter:
    """The filter from the form's fields."""
    return memory_filter(
        user=form.word("user"),
        all_users="all_users" in form,
        session=form.lines("session"),
        exclude_session=form.lines("exclude_session"),
        role=form.read_lines("role", Role),
        since=form.read("since", parse_time),
        until=form.read("until", parse_time),
        any_label=form.lines("any_label"),
        all_label=form.lines("all_label"),
    )


def search_request(form: Form) -> pb.SearchRequest:
    """The Search request. Empty fields leave the server's defaults in place."""
    half_life, weight = form.read("recency", parse_duration), form.read("recency_weight", _number)
    before, after = form.read("before", _count), form.read("after", _count)
    mode = form.word("mode", MODES[0])
    request: pb.SearchRequest = form.build(
        pb.SearchRequest,
        index=form.word("index"),
        query_text=form.word("q"),
        filter=filter_of(form),
        k=form.read("k", _count),
        min_score=form.read("min_score", _number),
        mode=f"SEARCH_MODE_{mode.upper()}",
        text_weight=form.read("text_weight", _number) if mode == "hybrid" else None,
        neighbor_weight=form.read("neighbors", _number),
        recency=None if half_life is None else pb.Recency(half_life=half_life, weight=weight),
        diversity=form.read("diversity", _number),
        context=pb.ContextSize(before=before or 0, after=after or 0) if before or after else None,
    )
    return request


def store_request(form: Form) -> pb.StoreRequest:
    """The Store request. The form contains a request_id, so submitting it twice stores one memory."""
    own_id = form.word("id")
    request: pb.StoreRequest = form.build(
        pb.StoreRequest,
        index=form.word("index"),
        user_id=form.word("user"),
        session_id=form.word("session"),
        role=f"ROLE_{form.word('role', ROLES[0]).upper()}",
        content=form.text("content").replace("\r\n", "\n"),
        timestamp=form.read("at", parse_time),
        id=own_id,
        request_id="" if own_id else form.word("request_id"),
        ttl=form.read("ttl", parse_duration),
        labels=form.lines("label"),
        metadata=dict(form.read_lines("metadata", _pair)),
    )
    return request


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; enter one such as 0.5") from None


def _count(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise ValueError(f"{text!r} is not a whole number; enter one such as 10")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} has no '='; enter key=value")
    return key.strip(), value.strip()
