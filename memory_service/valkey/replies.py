"""Parses replies of FT.SEARCH and FT.INFO, from valkey-search and RediSearch, as GLIDE returns them with RESP2."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from memory_service.domain.types import Candidate
from memory_service.valkey.documents import decode_fields, decode_tags
from memory_service.valkey.index_parts import IndexPart
from memory_service.valkey.queries import DISTANCE


def parse_search(reply: Sequence[Any], prefix: str) -> list[Candidate]:
    """Return the candidates of `[count]` or `[count, {key: {field: value}}]`.

    KNN results are sorted, nearest first, ties by id; others keep the engine's order. RediSearch returns KNN results in
    any order. A result whose key no longer exists has no fields and is left out. Distances are clamped to 0 to 2,
    because rounding can make them slightly negative.
    """
    candidates = []
    start = len(prefix)
    for key, raw in _rows(reply).items():
        fields = {_name(name): _text(value) for name, value in (raw or {}).items()}
        value = fields.pop(DISTANCE, None)
        distance = None if value is None else float(value)
        if not fields or (distance is not None and math.isnan(distance)):
            continue
        if distance is not None:
            distance = min(max(distance, 0.0), 2.0)
        storage_id = _text(key)[start:]
        candidates.append(
            Candidate(storage_id, decode_fields(storage_id, fields), distance, decode_tags(fields.get("terms")))
        )
    if all(candidate.distance is not None for candidate in candidates):
        candidates.sort(key=lambda candidate: (candidate.distance, candidate.memory.id))
    return candidates


def result_keys(reply: Sequence[Any]) -> list[str]:
    """Return the keys of the results of a search."""
    return [_text(key) for key in _rows(reply)]


def lacks_field(reply: Sequence[Any], name: str) -> bool:
    """Return whether any existing result lacks this field."""
    return any(fields and name.encode() not in fields for fields in _rows(reply).values())


def _rows(reply: Sequence[Any]) -> Mapping[Any, Any]:
    """Return the fields by key; None for an expired key that RediSearch has not removed."""
    return reply[1] if len(reply) > 1 else {}


def join_search_replies(replies: Sequence[Sequence[Any]]) -> list[Any]:
    """Join the replies of several nodes to one search; the results are in any order."""
    hits = {key: fields for reply in replies for key, fields in _rows(reply).items()}
    return [sum(int(reply[0]) for reply in replies), hits]


def parse_info(reply: Mapping[Any, Any]) -> IndexPart:
    """Parse FT.INFO of one engine index. valkey-search reports a backfill in `state`, RediSearch in `indexing`."""
    info = {_text(name): value for name, value in reply.items()}
    definition = _pairs(info["index_definition"])
    attributes = [_pairs(attribute) for attribute in info["attributes"]]
    vector = next((attribute for attribute in attributes if _text(attribute["type"]) == "VECTOR"), {})
    # valkey-search nests these attributes; RediSearch does not.
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
        prefixes=tuple(_text(prefix) for prefix in definition["prefixes"]),
        fields=frozenset(
            (_text(attribute["attribute"]), _text(attribute["identifier"]), _text(attribute["type"]).upper())
            for attribute in attributes
        ),
        ready=state == "ready" and not int(info.get("backfill_in_progress", 0)) and not int(info.get("indexing", 0)),
        memory_count=int(info.get("num_docs", 0)),
        indexing_failures=int(info.get("hash_indexing_failures", 0)),
        reports_missing_shards="backfill_in_progress" in info,
    )


def join_cluster_info(
    node: Mapping[bytes, Any], primaries: Mapping[bytes, Any], cluster: Mapping[bytes, Any]
) -> dict[bytes, Any]:
    """Join what valkey-search reports about an index in a cluster into one FT.INFO reply.

    The definition comes from the FT.INFO of a node, the counts from FT.INFO PRIMARY, and the state on all nodes,
    including replicas, from FT.INFO CLUSTER.
    """
    counts = (b"num_docs", b"hash_indexing_failures")
    state = (b"backfill_in_progress", b"state")
    return {**node, **{name: primaries[name] for name in counts}, **{name: cluster[name] for name in state}}


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """Return a flat list of names and values as a dict. Flags such as CASESENSITIVE, which RediSearch puts last, are
    dropped."""
    return dict(_each_pair(flat))


def _each_pair(flat: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in zip(flat[::2], flat[1::2], strict=False):
        yield _text(name), value


@lru_cache(64)
def _name(name: Any) -> str:
    """Return the field name, without the path prefix of a JSON document."""
    return _text(name).removeprefix("$.")


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
