"""Builds filters and FT.SEARCH commands."""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_service.domain.embeddings import pack_embedding
from memory_service.domain.errors import invalid
from memory_service.domain.types import Embedding, Filter, Span
from memory_service.valkey.documents import HEADER_FIELDS, seconds
from memory_service.valkey.tags import encode_tag

Command = list[str | bytes]

DISTANCE = "distance"
"""The name of the returned distance."""

RANKING_FIELDS = (*HEADER_FIELDS, "terms")
"""The fields that ranking needs."""

MATCH_ALL = "@timestamp:[-inf +inf]"
"""A filter that matches every memory; valkey-search accepts `*` only with KNN."""

_MAX_QUERY_BYTES = 10_000
"""Upper bound on a filter; valkey-search refuses queries of more than 10,240 bytes."""


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """The engine index that is searched, and how.

    `timeout_ms` limits the search in the engine. With `all_shards`, a cluster returns an error instead of a partial
    answer. With `one_node`, a node searches only its own documents. `path` precedes the names of returned fields. With
    `bare`, a search returns no document fields, only computed ones.
    """

    index: str
    timeout_ms: int
    all_shards: bool
    one_node: bool = False
    path: str = "$."
    bare: bool = False


def filter_text(where: Filter, terms: Sequence[str] = ()) -> str:
    """Return the filter in the query language that valkey-search and RediSearch share; empty for no filter.

    With `terms`, the filter also requires any of these. If they exceed the size of a query, the last ones are left out.

    Raises:
        InvalidRequest: the filter is too long.
    """
    text = " ".join(_clauses(where))
    for count in range(len(terms), 0, -1):
        with_terms = f"{text} {_any('terms', terms[:count])}".lstrip()
        if len(with_terms) <= _MAX_QUERY_BYTES:
            return with_terms
    if len(text) > _MAX_QUERY_BYTES or terms:
        raise invalid(
            "filter", "has too many or too long session ids and labels: send fewer per request", "filter.size"
        )
    return text


def _clauses(where: Filter) -> list[str]:
    clauses = []
    if where.user_id is not None:
        clauses.append(_any("user_id", [where.user_id]))
    if where.session_ids:
        clauses.append(_any("session_id", where.session_ids))
    if where.exclude_session_ids:
        clauses.append("-" + _any("session_id", where.exclude_session_ids))
    if where.roles:
        clauses.append(_any("role", where.roles))
    if where.any_labels:
        clauses.append(_any("labels", where.any_labels))
    clauses += [_any("labels", [label]) for label in where.all_labels]
    if where.start is not None or where.end is not None:
        clauses.append(_times(where.start, where.end))
    elif clauses and all(clause.startswith("-") for clause in clauses):
        clauses.append(MATCH_ALL)  # valkey-search 1.2 refuses a query of negations alone.
    return clauses


def spans_text(spans: Sequence[Span]) -> str:
    """Return a filter for the memories of these spans, as many of them as fit into one query; empty for none."""
    text = ""
    for span in spans:
        session = f"{_any('user_id', [span.user_id])} {_any('session_id', [span.session_id])}"
        longer = f"{text}|({session} {_times(span.start, span.end)})"
        if len(longer) > _MAX_QUERY_BYTES:
            break
        text = longer
    return text.removeprefix("|")


def knn_command(
    target: SearchTarget,
    filter_: str,
    embedding: Embedding,
    k: int,
    *,
    ef_runtime: int | None,
    returned: Sequence[str],
    limit: int | None = None,
) -> Command:
    """Return a search for the k nearest memories within a filter; with `limit`, it returns only that many of them.

    The engines differ. RediSearch requires `EF_RUNTIME` before `AS`. Without LIMIT both return ten results, and without
    RETURN they return embeddings. valkey-search refuses SORTBY here. RediSearch's default DIALECT is 1. `ef_runtime`
    applies to HNSW only.
    """
    effort = "" if ef_runtime is None else f" EF_RUNTIME {max(ef_runtime, k)}"
    query = f"{f'({filter_})' if filter_ else '*'}=>[KNN {k} @embedding $vec{effort} AS {DISTANCE}]"
    return [
        *_head(target, query),
        "PARAMS",
        "2",
        "vec",
        pack_embedding(embedding),
        *_return(target, returned, DISTANCE),
        *_tail(target, k if limit is None else limit),
    ]


def filter_command(
    target: SearchTarget, filter_: str, limit: int, *, returned: Sequence[str], newest_first: bool | None = None
) -> Command:
    """Return a search for the memories that match a filter, in any order or sorted by timestamp."""
    order = [] if newest_first is None else ["SORTBY", "timestamp", "DESC" if newest_first else "ASC"]
    return [*_head(target, filter_), *_return(target, returned), *order, *_tail(target, limit)]


def count_command(target: SearchTarget, filter_: str) -> Command:
    """Return a search that counts the memories that match a filter."""
    return [*_head(target, filter_), *_tail(target, 0)]


def expired_before(microseconds: int) -> str:
    """Return a filter for the memories that had expired by this time."""
    return f"@expires_at:[-inf {seconds(microseconds)}]"


def without_expired(filter_: str, microseconds: int) -> str:
    """Return a filter that excludes the memories that had expired by this time. Memories without an expiry match.

    Without KNN the filter needs another clause, because valkey-search 1.2 refuses a query of negations alone.
    """
    return f"{filter_} -{expired_before(microseconds)}".lstrip()


def _head(target: SearchTarget, query: str) -> Command:
    scope = ["ALLSHARDS"] if target.all_shards else ["LOCALONLY"] if target.one_node else []
    return ["FT.SEARCH", target.index, query, *scope]


def _return(target: SearchTarget, fields: Sequence[str], *computed: str) -> Command:
    if target.bare and not computed:
        return ["NOCONTENT"]
    returned = [*computed, *([] if target.bare else (target.path + name for name in fields))]
    return ["RETURN", str(len(returned)), *returned]


def _tail(target: SearchTarget, limit: int) -> Command:
    return ["LIMIT", "0", str(limit), "TIMEOUT", str(target.timeout_ms), "DIALECT", "2"]


def _any(field: str, values: Sequence[str]) -> str:
    return f"@{field}:{{{'|'.join(encode_tag(value) for value in values)}}}"


def _times(start: int | None, end: int | None) -> str:
    first = "-inf" if start is None else seconds(start)
    last = "+inf" if end is None else f"({seconds(end)}"
    return f"@timestamp:[{first} {last}]"
