"""The text of searches: filters and the FT.SEARCH commands."""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_service.domain.embeddings import pack_embedding
from memory_service.domain.errors import invalid
from memory_service.domain.types import Embedding, Filter, Span
from memory_service.valkey.documents import FIELDS, HEADING, seconds
from memory_service.valkey.tags import encode_tag

Command = list[str | bytes]

DISTANCE = "distance"
"""The name under which a search returns the distance."""

WHOLE = FIELDS
"""What a search returns for an answer."""
RANKING = (*HEADING, "terms")
"""What a search returns for ranking."""

EVERYTHING = "@timestamp:[-inf +inf]"
"""A filter that lets every memory through; valkey-search knows `*` only beside KNN."""

_LONGEST_QUERY = 10_000
"""Bytes of a filter: valkey-search refuses queries of more than 10,240."""


@dataclass(frozen=True, slots=True)
class Searching:
    """What every search of a call has in common.

    `timeout_ms` bounds it in the engine; `all_shards` makes a cluster that cannot answer in full give an error;
    `one_node` asks a node for what it holds itself; `path` stands before the names of fields that are returned. With
    `bare` no field of a document is returned, only what the search computes.
    """

    index: str
    timeout_ms: int
    all_shards: bool
    one_node: bool = False
    path: str = "$."
    bare: bool = False


def filter_text(where: Filter, terms: Sequence[str] = ()) -> str:
    """The filter in the query language that valkey-search and RediSearch share; empty for no filter. With `terms` also
    any of these, of as many of them as a query can hold: the last are left out first.

    Raises:
        InvalidRequest: it is longer than engines take.
    """
    text = " ".join(_clauses(where))
    for count in range(len(terms), 0, -1):
        with_terms = f"{text} {_any('terms', terms[:count])}".lstrip()
        if len(with_terms) <= _LONGEST_QUERY:
            return with_terms
    if len(text) > _LONGEST_QUERY or terms:
        raise invalid("filter", "names too many or too long sessions and labels: ask for fewer at once", "filter.size")
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
        clauses.append(EVERYTHING)  # valkey-search 1.2 takes no query of negations alone.
    return clauses


def spans_text(spans: Sequence[Span]) -> str:
    """A filter for the memories of any of these spans, of as many of them as a query can hold; empty for none."""
    text = ""
    for span in spans:
        session = f"{_any('user_id', [span.user_id])} {_any('session_id', [span.session_id])}"
        longer = f"{text}|({session} {_times(span.start, span.end)})"
        if len(longer) > _LONGEST_QUERY:
            break
        text = longer
    return text.removeprefix("|")


def knn_command(
    search: Searching,
    within: str,
    embedding: Embedding,
    k: int,
    *,
    ef_runtime: int | None,
    returned: Sequence[str],
    limit: int | None = None,
) -> Command:
    """The k nearest within a filter, or with `limit` so many of them and their number. Each part is there for a reason
    in engines that differ:

    `EF_RUNTIME` before `AS`, the only order that RediSearch takes; LIMIT, without which both return ten; RETURN,
    without which whole embeddings come back; no SORTBY, which valkey-search refuses; DIALECT 2, as RediSearch's default
    is 1. `ef_runtime` is for HNSW alone.
    """
    effort = "" if ef_runtime is None else f" EF_RUNTIME {max(ef_runtime, k)}"
    query = f"{f'({within})' if within else '*'}=>[KNN {k} @embedding $vec{effort} AS {DISTANCE}]"
    return [
        *_head(search, query),
        "PARAMS",
        "2",
        "vec",
        pack_embedding(embedding),
        *_return(search, returned, DISTANCE),
        *_tail(search, k if limit is None else limit),
    ]


def filter_command(
    search: Searching, within: str, limit: int, *, returned: Sequence[str], newest_first: bool | None = None
) -> Command:
    """Memories within a filter, in any order or by their timestamps."""
    order = [] if newest_first is None else ["SORTBY", "timestamp", "DESC" if newest_first else "ASC"]
    return [*_head(search, within), *_return(search, returned), *order, *_tail(search, limit)]


def count_command(search: Searching, within: str) -> Command:
    """How many memories pass a filter."""
    return [*_head(search, within), *_tail(search, 0)]


def expired_before(microseconds: int) -> str:
    """A filter for memories that had expired by then."""
    return f"@expires_at:[-inf {seconds(microseconds)}]"


def without_expired(within: str, microseconds: int) -> str:
    """A filter without the memories that had expired by then; those without an expiry pass it. Without KNN the filter
    must have another clause, since valkey-search 1.2 takes no query of negations alone."""
    return f"{within} -{expired_before(microseconds)}".lstrip()


def _head(search: Searching, query: str) -> Command:
    scope = ["ALLSHARDS"] if search.all_shards else ["LOCALONLY"] if search.one_node else []
    return ["FT.SEARCH", search.index, query, *scope]


def _return(search: Searching, fields: Sequence[str], *computed: str) -> Command:
    if search.bare and not computed:
        return ["NOCONTENT"]
    returned = [*computed, *([] if search.bare else (search.path + name for name in fields))]
    return ["RETURN", str(len(returned)), *returned]


def _tail(search: Searching, limit: int) -> Command:
    return ["LIMIT", "0", str(limit), "TIMEOUT", str(search.timeout_ms), "DIALECT", "2"]


def _any(field: str, values: Sequence[str]) -> str:
    return f"@{field}:{{{'|'.join(encode_tag(one) for one in values)}}}"


def _times(start: int | None, end: int | None) -> str:
    first = "-inf" if start is None else seconds(start)
    last = "+inf" if end is None else f"({seconds(end)}"
    return f"@timestamp:[{first} {last}]"
