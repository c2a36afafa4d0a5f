import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memory_service.engine.queries import filter_text, search_command
from memory_service.memory.types import Algorithm, Filter, Role

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
filters = st.builds(
    Filter,
    user_id=st.none() | ids,
    session_ids=st.lists(ids, max_size=16).map(tuple),
    roles=st.lists(st.sampled_from(Role), max_size=4, unique=True).map(tuple),
    start=st.none() | st.integers(-(10**16), 0),
    end=st.none() | st.integers(1, 10**16),
)
_CLAUSE = r"@(user_id|session_id|role):\{[a-z0-9_]+(\|[a-z0-9_]+)*\}|@timestamp:\[(-inf|-?[0-9.]+) (\+inf|\([0-9.]+)\]"
_FILTER = re.compile(rf"\*|\(({_CLAUSE})( ({_CLAUSE}))*\)")


@given(filters)
def test_a_filter_is_always_of_the_one_grammar_both_engines_share(where: Filter) -> None:
    assert _FILTER.fullmatch(filter_text(where))


@given(filters)
def test_a_filter_never_loses_a_clause(where: Filter) -> None:
    text = filter_text(where)
    assert ("@user_id:" in text) == (where.user_id is not None)
    assert ("@session_id:" in text) == bool(where.session_ids)
    assert ("@role:" in text) == bool(where.roles)
    assert ("@timestamp:" in text) == (where.start is not None or where.end is not None)


@given(st.lists(st.text("\U0001f600", min_size=64, max_size=64), min_size=16, max_size=16).map(tuple))
def test_the_longest_filter_fits_into_the_10240_bytes_of_valkey_search(sessions: tuple[str, ...]) -> None:
    where = Filter("\U0001f600" * 64, sessions, tuple(Role), -(10**17), 10**17)
    assert len(filter_text(where)) < 10_000


def command(algorithm: Algorithm, *, k: int = 5, all_shards: bool = False) -> list[str | bytes]:
    return search_command(
        "memory_idx",
        Filter("alice"),
        np.ones(4, np.float32),
        k,
        algorithm=algorithm,
        ef_runtime=200,
        timeout_ms=700,
        all_shards=all_shards,
    )


def test_a_search_never_asks_for_embeddings_and_says_all_that_engines_differ_in() -> None:
    words = command(Algorithm.FLAT)
    assert words[:3] == ["FT.SEARCH", "memory_idx", "(@user_id:{alice})=>[KNN 5 @embedding $vec AS distance]"]
    assert words[words.index("PARAMS") + 1 : words.index("PARAMS") + 3] == ["2", "vec"]
    assert words[words.index("LIMIT") :] == ["LIMIT", "0", "5", "TIMEOUT", "700", "DIALECT", "2"]
    returned = words[words.index("RETURN") + 2 : words.index("LIMIT")]
    assert len(returned) == int(words[words.index("RETURN") + 1])
    assert "$.content" in returned
    assert not any("embedding" in str(one) for one in returned)


def test_an_hnsw_search_sets_its_effort_and_never_below_k() -> None:
    assert "KNN 5 @embedding $vec EF_RUNTIME 200 AS distance" in str(command(Algorithm.HNSW)[2])
    assert "EF_RUNTIME 900 AS" in str(command(Algorithm.HNSW, k=900)[2])


def test_all_shards_are_asked_for_only_where_the_engine_knows_the_word() -> None:
    assert "ALLSHARDS" in command(Algorithm.FLAT, all_shards=True)
    assert "ALLSHARDS" not in command(Algorithm.FLAT)
