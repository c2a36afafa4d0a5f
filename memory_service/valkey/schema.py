"""The schema of an index: its engine indexes, its metadata record, and the checks of a request against them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from memory_service.domain.errors import FailedPrecondition, Reason, Violation
from memory_service.domain.types import Algorithm, IndexSpec, Layout
from memory_service.valkey.documents import SEPARATOR
from memory_service.valkey.index_parts import IndexPart
from memory_service.valkey.layouts import layout_of

DEFAULT_INDEX = "memory_idx"
SCHEMA_VERSION = 3
"""Version 2 added fields for labels, words and expiry. Version 3 added the expiry to the HNSW part. An index of version
2 still works. An index of version 1 must be dropped, which keeps the memories, and recreated."""
OLDEST_SCHEMA = 2
TERMS_VERSION = 2
"""The version of memory_service.domain.text_analysis. An index with this version has no terms of an earlier one."""
FLAT_SUFFIX = "_flat"

_FIELDS = {"session_id": "TAG", "role": "TAG", "user_id": "TAG", "timestamp": "NUMERIC", "embedding": "VECTOR"}
"""The cookbook's fields. Every part has them."""

_EXPIRY = {"expires_at": "NUMERIC"}
"""The field by which a part excludes expired memories. Every part has it since schema 3."""
_TEXT_FIELDS = {"labels": "TAG", "terms": "TAG"}
"""The fields for filters by labels and for ranking by words. Only one part of an index has them: FLAT, which filters
first, or HNSW if there is no FLAT part."""


@dataclass(frozen=True, slots=True)
class IndexMetadata:
    """The facts about an index that the engine cannot report, stored as JSON under `metadata_key`."""

    embedding_model: str
    dimension: int
    algorithms: frozenset[Algorithm]
    layout: Layout
    schema_version: int = SCHEMA_VERSION
    terms_version: int = 1
    dropping: bool | None = None
    """None for an index in use. Otherwise the index is being dropped; True includes its memories."""

    def encode(self) -> bytes:
        """Return the record. It contains a random value, so that no two indexes ever have the same record."""
        dropping = {} if self.dropping is None else {"dropping": self.dropping}
        return orjson.dumps(
            {
                "schema_version": self.schema_version,
                "terms_version": self.terms_version,
                "embedding_model": self.embedding_model,
                "dimension": self.dimension,
                "algorithms": sorted(self.algorithms),
                "layout": self.layout,
                "generation": secrets.token_hex(8),
                **dropping,
            }
        )

    @classmethod
    def decode(cls, record: bytes) -> "IndexMetadata":
        """Return the metadata of a record."""
        values = orjson.loads(record)
        return cls(
            embedding_model=values["embedding_model"],
            dimension=values["dimension"],
            algorithms=frozenset(Algorithm(algorithm) for algorithm in values["algorithms"]),
            layout=Layout(values.get("layout", Layout.JSON)),
            schema_version=values["schema_version"],
            terms_version=values.get("terms_version", 1),
            dropping=values.get("dropping"),
        )


def metadata_key(index: str) -> str:
    """Return the key of the metadata record. It is outside the key prefix of every index."""
    return f"semantic_memory:index:{index}"


def layout_key(index: str) -> str:
    """Return the key with the layout of the memories that a dropped index has left."""
    return f"semantic_memory:layout:{index}"


def key_prefix(index: str) -> str:
    """Return the key prefix of an index: the cookbook's `mem:` for the default index, otherwise one with its name.

    No prefix is a prefix of another, because index names contain no colon.
    """
    return "mem:" if index == DEFAULT_INDEX else f"mem_{index}:"


def part_name(index: str, algorithm: Algorithm) -> str:
    """Return the engine's name of the part with this algorithm."""
    return index if algorithm is Algorithm.HNSW else index + FLAT_SUFFIX


def has_text_fields(part: IndexPart) -> bool:
    """Return whether a part has the fields for labels and words."""
    return {name for name, _, _ in part.fields} >= _TEXT_FIELDS.keys()


def has_expiry_field(part: IndexPart) -> bool:
    """Return whether a part can exclude expired memories."""
    return {name for name, _, _ in part.fields} >= _EXPIRY.keys()


def create_command(
    index: str, algorithm: Algorithm, dimension: int, layout: Layout, *, with_text: bool
) -> list[str | bytes]:
    """Return FT.CREATE of one part.

    valkey-search 1.2 requires a name for every field (AS). Tags are case-sensitive with an explicit separator, because
    the engines' defaults differ. SORTABLE saves RediSearch from reading every document for a List; valkey-search
    ignores it.
    """
    schema: list[str | bytes] = []
    # The embedding comes last, because its attributes follow.
    for name, kind in ((_TEXT_FIELDS if with_text else {}) | _EXPIRY | _FIELDS).items():
        schema += [f"{layout_of(layout).path}{name}", "AS", name, kind]
        if kind == "TAG":
            schema += ["SEPARATOR", SEPARATOR, "CASESENSITIVE"]
        if name == "timestamp":
            schema += ["SORTABLE"]
    attributes = ["TYPE", "FLOAT32", "DIM", str(dimension), "DISTANCE_METRIC", "COSINE"]
    if algorithm is Algorithm.HNSW:
        attributes += ["M", "16", "EF_CONSTRUCTION", "200"]
    return [
        *["FT.CREATE", part_name(index, algorithm), "ON", str(layout), "PREFIX", "1", key_prefix(index)],
        *["SCHEMA", *schema, str(algorithm), str(len(attributes)), *attributes],
    ]


def check_spec(
    spec: IndexSpec, layout: Layout, parts: Mapping[Algorithm, IndexPart], metadata: IndexMetadata | None
) -> None:
    """Check that an index is as requested.

    Raises FailedPrecondition (INDEX_DIFFERS), with every difference.
    """
    differences = [
        difference
        for algorithm, part in parts.items()
        for difference in _part_differences(spec, algorithm, layout, part)
    ]
    if metadata is not None:
        differences += _metadata_differences(spec, metadata)
    if spec.layout not in {None, layout}:
        differences.append(
            Violation("layout", f"the memories of {spec.name} have the layout {layout}, requested was {spec.layout}")
        )
    if not differences:
        return
    advice = "Request what it has, use another index name, or DropIndex, which keeps the memories, and recreate it"
    if any(difference.field == "layout" for difference in differences):
        advice = "Request the layout it has, or export its memories and import them into another index"
    details = "; ".join(difference.description for difference in differences)
    raise FailedPrecondition(
        Reason.INDEX_DIFFERS,
        f"index {spec.name!r} differs from the request: {details}. {advice}",
        metadata={"index": spec.name},
        violations=differences,
    )


def _part_differences(spec: IndexSpec, algorithm: Algorithm, layout: Layout, part: IndexPart) -> list[Violation]:
    """Compare a part with the request. Tag options are not compared, because encoded tags do not depend on them."""
    path = layout_of(layout).path
    expected: list[tuple[str, object, object]] = [
        ("algorithm", str(algorithm), part.algorithm),
        ("dimension", spec.dimension, part.dimension),
        ("metric", "COSINE", part.metric),
        ("data_type", "FLOAT32", part.data_type),
        ("layout", str(layout), part.key_type),
        ("prefix", key_prefix(spec.name), ",".join(part.prefixes)),
    ]
    actual_fields = {name: f"{path} {kind}" for name, path, kind in part.fields}
    expected += [
        (f"field {name}", f"{path}{name} {kind}", actual_fields.get(name, "none")) for name, kind in _FIELDS.items()
    ]
    name = part_name(spec.name, algorithm)
    return [
        Violation(what, f"{name} has {what} {actual}, requested was {requested}")
        for what, requested, actual in expected
        if requested != actual
    ]


def _metadata_differences(spec: IndexSpec, metadata: IndexMetadata) -> list[Violation]:
    """Compare the metadata of an index with the request."""
    expected: list[tuple[str, object, object]] = [
        ("embedding_model", spec.embedding_model, metadata.embedding_model),
        ("dimension", spec.dimension, metadata.dimension),
    ]
    if not OLDEST_SCHEMA <= metadata.schema_version <= SCHEMA_VERSION:
        expected.append(("schema_version", SCHEMA_VERSION, metadata.schema_version))
    if spec.algorithms is not None:
        expected.append(("algorithms", sorted(map(str, spec.algorithms)), sorted(map(str, metadata.algorithms))))
    return [
        Violation(what, f"{spec.name} has {what} {actual}, requested was {requested}")
        for what, requested, actual in expected
        if requested != actual
    ]
