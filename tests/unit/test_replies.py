"""Replies of both engines, recorded and generated, through the same parsers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.types import Role
from memory_service.valkey.errors import CommandRefused, is_missing_index
from memory_service.valkey.replies import parse_info, parse_search

ENGINES = ["valkey_search", "redisearch"]
RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("engine_replies.json").read_text())


def recorded(engine: str, name: str) -> Any:
    return RECORDED[engine][name]["reply"]


def with_our_names(reply: list[Any]) -> list[Any]:
    """Rename the field `score` of the recordings to `distance`."""
    if len(reply) == 1:
        return reply
    return [reply[0], {k: {{"score": "distance"}.get(n, n): v for n, v in f.items()} for k, f in reply[1].items()}]


@pytest.mark.parametrize("engine", ENGINES)
def test_recorded_searches_parse_to_the_same_memories(engine: str) -> None:
    found = parse_search(with_our_names(recorded(engine, "knn_return")), "mem:")
    assert [one.memory.id for one in found][:2] == ["a", "b"]
    assert found[0].distance == 0
    assert found[0].memory.content == "We deployed"
    assert found[1].memory.content == 'Valkey "HNSW" é \n ok'
    assert found[1].memory.user_id == "alice"
    assert found[1].memory.role is Role.ASSISTANT
    assert found[1].similarity == pytest.approx(0.7071, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_recorded_search_without_hits_is_empty(engine: str) -> None:
    assert parse_search(recorded(engine, "knn_none"), "mem:") == []
    assert parse_search(recorded(engine, "knn_nocontent"), "mem:") == [], "keys without fields no longer exist"


@pytest.mark.parametrize("engine", ENGINES)
def test_recorded_infos_parse_to_the_same_index(engine: str) -> None:
    part = parse_info(recorded(engine, "info_used"))
    assert (part.algorithm, part.dimension, part.metric, part.data_type) == ("HNSW", 4, "COSINE", "FLOAT32")
    assert (part.key_type, part.prefixes, part.ready) == ("JSON", ("mem:",), True)
    assert ("user_id", "$.user_id", "TAG") in part.fields
    assert ("embedding", "$.embedding", "VECTOR") in part.fields
    assert part.indexing_failures == 1
    assert part.memory_count >= 5
    assert part.reports_missing_shards == (engine == "valkey_search")


def test_a_new_index_of_valkey_search_is_not_ready() -> None:
    assert not parse_info(recorded("valkey_search", "info_new")).ready


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["info_missing", "search_missing", "drop_missing"])
def test_both_engines_errors_for_a_missing_index_are_recognized(engine: str, name: str) -> None:
    assert is_missing_index(CommandRefused(RECORDED[engine][name]["error"]))
    assert not is_missing_index(CommandRefused(RECORDED[engine]["knn_wrong_blob"]["error"]))


distances = st.floats(-1e-6, 2.000001).map(lambda one: f"{one:.12g}")
keys = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(st.dictionaries(keys, distances, max_size=20), st.randoms())
def test_hits_are_ordered_by_distance_then_id(found: dict[str, str], random: Any) -> None:
    items = list(found.items())
    random.shuffle(items)
    reply = [len(items), {b"mem:" + k.encode(): {b"distance": d.encode(), b"content": b"c"} for k, d in items}]
    candidates = parse_search(reply if items else [0], "mem:")
    clamped = {key: min(max(float(distance), 0.0), 2.0) for key, distance in found.items()}
    assert [one.memory.id for one in candidates] == sorted(found, key=lambda key: (clamped[key], key))
    assert all(0 <= (one.distance or 0) <= 2 and -1 <= one.similarity <= 1 for one in candidates)


@pytest.mark.parametrize("distance", [b"nan", b"-nan"])
def test_a_hit_without_a_distance_is_left_out(distance: bytes) -> None:
    assert parse_search([1, {b"mem:a": {b"distance": distance, b"content": b"c"}}], "mem:") == []
