"""Replies of FT.SEARCH and FT.INFO, of valkey-search and of RediSearch alike, as GLIDE hands them over with RESP2."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from memory_service.domain.types import Candidate, IndexPart
from memory_service.valkey.documents import decode_fields, decode_tags
from memory_service.valkey.queries import DISTANCE


def parse_search(reply: Sequence[Any], prefix: str) -> list[Candidate]:
    """The candidates of `[count]` or `[count, {key: {field: value}}]`, nearest first, ties in the order of their ids;
    those of a search without KNN in the engine's order.

    RediSearch returns KNN hits in any order; a hit whose key has just gone has no fields and is left out. Rounding can
    make a distance slightly negative: it is brought back into 0 to 2.
    """
    candidates = []
    start = len(prefix)
    for key, raw in _rows(reply).items():
        fields = {_name(name): _text(value) for name, value in (raw or {}).items()}
        told = fields.pop(DISTANCE, None)
        distance = None if told is None else float(told)
        if not fields or (distance is not None and math.isnan(distance)):
            continue
        if distance is not None:
            distance = min(max(distance, 0.0), 2.0)
        slot = _text(key)[start:]
        candidates.append(Candidate(slot, decode_fields(slot, fields), distance, decode_tags(fields.get("terms"))))
    if all(one.distance is not None for one in candidates):
        candidates.sort(key=lambda one: (one.distance, one.memory.id))
    return candidates


def found_keys(reply: Sequence[Any]) -> list[str]:
    """The keys of the reply to a search."""
    return [_text(key) for key in _rows(reply)]


def lacks_field(reply: Sequence[Any], name: str) -> bool:
    """Whether any hit of the reply that is still there lacks this field."""
    return any(fields and name.encode() not in fields for fields in _rows(reply).values())


def _rows(reply: Sequence[Any]) -> Mapping[Any, Any]:
    """The fields of each key that was found; None for one that has expired and that RediSearch has not removed."""
    return reply[1] if len(reply) > 1 else {}


def join_search_replies(replies: Sequence[Sequence[Any]]) -> list[Any]:
    """The replies of several nodes to one search as if one had given it; the hits in no order."""
    hits = {key: fields for reply in replies for key, fields in _rows(reply).items()}
    return [sum(int(reply[0]) for reply in replies), hits]


def parse_info(reply: Mapping[Any, Any]) -> IndexPart:
    """One engine index from FT.INFO. valkey-search tells of a backfill by `state`, RediSearch by `indexing`."""
    info = {_text(name): value for name, value in reply.items()}
    definition = _pairs(info["index_definition"])
    attributes = [_pairs(one) for one in info["attributes"]]
    vector = next((one for one in attributes if _text(one["type"]) == "VECTOR"), {})
    # valkey-search nests what RediSearch lays flat.
    details = _pairs(vector["index"]) if "index" in vector else vector
    algorithm = details.get("algorithm", "")
    if isinstance(algorithm, list):
        algorithm = _pairs(algorithm)["name"]
    state = _text(info.get("state", b"ready"))
    return IndexPart(
        algorithm=_text(algorithm).upper(),
        dimension=int(details.get("dimensions", details.get("dim", 0))),
        metric=_text(details.get("distance_metric", "")).upper(),
        data_type=_text(details.get("data_type", "")).upper(),
        key_type=_text(definition["key_type"]).upper(),
        prefixes=tuple(_text(one) for one in definition["prefixes"]),
        fields=frozenset(
            (_text(one["attribute"]), _text(one["identifier"]), _text(one["type"]).upper()) for one in attributes
        ),
        ready=state == "ready" and not int(info.get("backfill_in_progress", 0)) and not int(info.get("indexing", 0)),
        memory_count=int(info.get("num_docs", 0)),
        indexing_failures=int(info.get("hash_indexing_failures", 0)),
        reports_missing_shards="backfill_in_progress" in info,
    )


def join_cluster_info(
    node: Mapping[bytes, Any], primaries: Mapping[bytes, Any], cluster: Mapping[bytes, Any]
) -> dict[bytes, Any]:
    """What valkey-search tells of an index in a cluster, as if one node held it all: a node's FT.INFO for its
    definition, FT.INFO PRIMARY for its counts, and FT.INFO CLUSTER for its state on every node, replicas included."""
    counts = (b"num_docs", b"hash_indexing_failures")
    state = (b"backfill_in_progress", b"state")
    return {**node, **{name: primaries[name] for name in counts}, **{name: cluster[name] for name in state}}


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """A flat list of names and values as a dict; RediSearch puts words without a value, such as CASESENSITIVE, last."""
    return dict(_each_pair(flat))


def _each_pair(flat: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in zip(flat[::2], flat[1::2], strict=False):
        yield _text(name), value


@lru_cache(64)
def _name(name: Any) -> str:
    """The field of what was returned: its own name, or its path in a JSON document."""
    return _text(name).removeprefix("$.")


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
