"""Filters and search commands in the syntax that both engines share."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.errors import InvalidRequest
from memory_service.domain.types import Filter, Role, Span
from memory_service.valkey.documents import MEMORY_FIELDS
from memory_service.valkey.queries import SearchTarget, filter_text, knn_command, spans_text

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
filters = st.builds(
    Filter,
    user_id=st.none() | ids,
    session_ids=st.lists(ids, max_size=16).map(tuple),
    roles=st.lists(st.sampled_from(Role), max_size=4, unique=True).map(tuple),
    start=st.none() | st.integers(-(10**16), 0),
    end=st.none() | st.integers(1, 10**16),
    any_labels=st.lists(ids, max_size=4).map(tuple),
    all_labels=st.lists(ids, max_size=4).map(tuple),
    exclude_session_ids=st.lists(ids, max_size=4).map(tuple),
)
terms = st.lists(ids, max_size=4)
_TAGS = r"-?@(?:user_id|session_id|role|labels|terms):\{[a-z0-9_]+(?:\|[a-z0-9_]+)*\}"
_TIMES = r"@timestamp:\[(?:-inf|-?[0-9.]+) (?:\+inf|\([0-9.]+)\]"
_CLAUSE = f"(?:{_TAGS}|{_TIMES})"
_FILTER = re.compile(f"(?:{_CLAUSE}(?: {_CLAUSE})*)?")
LONG = "\U0001f600" * 64
"""An id of the maximum length, which takes twice its bytes as a tag."""


@given(filters, terms)
def test_every_filter_uses_the_grammar_that_both_engines_share(where: Filter, words: list[str]) -> None:
    text = filter_text(where, words)
    assert _FILTER.fullmatch(text)
    assert not text.startswith("-") or " @" in text, "valkey-search does not accept a query of negations only"


@given(filters, terms)
def test_a_filter_never_loses_a_clause(where: Filter, words: list[str]) -> None:
    text = filter_text(where, words)
    assert ("-@session_id:" in text) == bool(where.exclude_session_ids)
    assert text.count("@labels:") == bool(where.any_labels) + len(where.all_labels)
    assert ("@terms:" in text) == bool(words)
    assert ("@user_id:" in text) == (where.user_id is not None)
    assert bool(re.search("(^| )@session_id:", text)) == bool(where.session_ids)
    assert ("@role:" in text) == bool(where.roles)
    if where.start is not None or where.end is not None:
        assert "@timestamp:" in text


def test_the_longest_filter_fits_into_the_query_limit_of_valkey_search() -> None:
    where = Filter(LONG, (LONG,) * 16, tuple(Role), -(10**17), 10**17)
    assert len(filter_text(where)) < 10_000


@given(st.integers(1, 32))
def test_the_last_words_are_left_out_of_a_full_query(count: int) -> None:
    where = Filter(LONG, (LONG,) * 16)
    words = [f"word{n}" * 8 for n in range(count)]
    text = filter_text(where, words)
    included = text.partition("@terms:{")[2].removesuffix("}").split("|")
    assert len(text) <= 10_000
    assert text.startswith(filter_text(where) + " @terms:{word0")
    assert included == words[: len(included)]
    assert included == words or len(text) + len("|") + len(words[len(included)]) > 10_000


@given(terms)
def test_a_filter_over_the_query_limit_is_refused(words: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        filter_text(Filter("u", (LONG,) * 16, exclude_session_ids=(LONG,) * 16), words)


def command(effort: int | None = None, *, k: int = 5, all_shards: bool = False) -> list[str | bytes]:
    search = SearchTarget("memory_idx", 700, all_shards)
    where = filter_text(Filter("alice"))
    return knn_command(search, where, np.ones(4, np.float32), k, ef_runtime=effort, returned=MEMORY_FIELDS)


def test_a_search_command_sets_every_option_and_returns_no_embeddings() -> None:
    words = command()
    assert words[:3] == ["FT.SEARCH", "memory_idx", "(@user_id:{alice})=>[KNN 5 @embedding $vec AS distance]"]
    assert words[words.index("PARAMS") + 1 : words.index("PARAMS") + 3] == ["2", "vec"]
    assert words[words.index("LIMIT") :] == ["LIMIT", "0", "5", "TIMEOUT", "700", "DIALECT", "2"]
    returned = words[words.index("RETURN") + 2 : words.index("LIMIT")]
    assert len(returned) == int(words[words.index("RETURN") + 1])
    assert "$.content" in returned
    assert not any("embedding" in str(one) for one in returned)


def test_ef_runtime_is_at_least_k() -> None:
    assert "KNN 5 @embedding $vec EF_RUNTIME 200 AS distance" in str(command(200)[2])
    assert "EF_RUNTIME 900 AS" in str(command(200, k=900)[2])


def test_allshards_is_sent_only_to_engines_that_support_it() -> None:
    assert "ALLSHARDS" in command(all_shards=True)
    assert "ALLSHARDS" not in command()


spans = st.builds(Span, user_id=ids, session_id=ids, start=st.integers(-(10**16), 0), end=st.integers(1, 10**16))


@given(st.lists(spans, max_size=60))
def test_spans_fill_a_query_up_to_its_limit(several: list[Span]) -> None:
    text = spans_text(several)
    assert len(text) <= 10_000
    clauses = text.split("|(")
    assert bool(text) == bool(several)
    if text:
        assert len(clauses) == len(several) or len(text) > 8_000, "only a full query omits spans"
        assert all(re.fullmatch(rf"\(?{_CLAUSE} {_CLAUSE} {_CLAUSE}\)", one) for one in clauses)
