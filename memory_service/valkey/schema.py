"""What an index is made of: two engine indexes over one prefix, and a key that remembers the embedding model."""

import secrets
from dataclasses import dataclass

import orjson

from memory_service.domain.errors import FailedPrecondition, Reason, Violation
from memory_service.domain.types import Algorithm, IndexPart, IndexSpec, Layout
from memory_service.valkey.documents import SEPARATOR
from memory_service.valkey.layouts import layout_of

DEFAULT_INDEX = "memory_idx"
SCHEMA_VERSION = 3
"""2: fields for labels, words and expiry. 3: the expiry also in the HNSW part. A 2 is used as it is; what 1 lacks is
added by dropping the index, which keeps the memories, and creating it again."""
OLDEST_SCHEMA = 2
FLAT_SUFFIX = "_flat"

_FIELDS = {"session_id": "TAG", "role": "TAG", "user_id": "TAG", "timestamp": "NUMERIC", "embedding": "VECTOR"}
"""The cookbook's fields, which every part has."""

_EXPIRY = {"expires_at": "NUMERIC"}
"""With which a part leaves out expired memories. Every part has it since schema 3."""
_MORE_FIELDS = {"labels": "TAG", "terms": "TAG"}
"""What filters by labels and ranking by words need. One part of an index has them: the FLAT one, which filters first,
or else the HNSW one."""


@dataclass(frozen=True, slots=True)
class IndexMetadata:
    """What the engine cannot say of an index, kept in a JSON text under `metadata_key`."""

    embedding_model: str
    dimension: int
    algorithms: frozenset[Algorithm]
    layout: Layout
    schema_version: int = SCHEMA_VERSION
    dropping: bool | None = None
    """None: in use. Otherwise the index is being dropped, True: with its memories."""

    def encode(self) -> bytes:
        """The text of the key. It holds a random value, so that no two indexes ever have the same."""
        dropping = {} if self.dropping is None else {"dropping": self.dropping}
        return orjson.dumps(
            {
                "schema_version": self.schema_version,
                "embedding_model": self.embedding_model,
                "dimension": self.dimension,
                "algorithms": sorted(self.algorithms),
                "layout": self.layout,
                "generation": secrets.token_hex(8),
                **dropping,
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> "IndexMetadata":
        """The metadata of the key's text."""
        values = orjson.loads(text)
        return cls(
            embedding_model=values["embedding_model"],
            dimension=values["dimension"],
            algorithms=frozenset(Algorithm(one) for one in values["algorithms"]),
            layout=Layout(values.get("layout", Layout.JSON)),
            schema_version=values["schema_version"],
            dropping=values.get("dropping"),
        )


def metadata_key(index: str) -> str:
    """Where the metadata of an index lies; outside of every index's prefix."""
    return f"semantic_memory:index:{index}"


def layout_key(index: str) -> str:
    """Where it is kept how the memories lie that a dropped index has left behind."""
    return f"semantic_memory:layout:{index}"


def key_prefix(index: str) -> str:
    """The prefix of the keys of an index: the cookbook's `mem:` for the cookbook's index, one of its own for others.
    None is a prefix of another, since names hold no colon."""
    return "mem:" if index == DEFAULT_INDEX else f"mem_{index}:"


def part_name(index: str, algorithm: Algorithm) -> str:
    """The engine's name of the part that answers with this algorithm."""
    return index if algorithm is Algorithm.HNSW else index + FLAT_SUFFIX


def is_extended(part: IndexPart) -> bool:
    """Whether a part has the fields for labels and words."""
    return {name for name, _, _ in part.fields} >= _MORE_FIELDS.keys()


def is_expiring(part: IndexPart) -> bool:
    """Whether a part can leave out expired memories."""
    return {name for name, _, _ in part.fields} >= _EXPIRY.keys()


def create_command(
    index: str, algorithm: Algorithm, dimension: int, layout: Layout, *, extended: bool
) -> list[str | bytes]:
    """FT.CREATE of one part. Every field has a name of its own (AS), which valkey-search 1.2 demands, and tags are
    case-sensitive with an explicit separator, since the engines' defaults differ. Only RediSearch makes something of
    SORTABLE: a List need not read every document."""
    schema: list[str | bytes] = []
    # The embedding comes last: its attributes follow.
    for name, kind in ((_MORE_FIELDS if extended else {}) | _EXPIRY | _FIELDS).items():
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


def check_part(spec: IndexSpec, algorithm: Algorithm, layout: Layout, part: IndexPart) -> list[Violation]:
    """What differs between a part as it is and as it was asked for, over documents of this layout. Options of tags are
    not compared: with encoded ids none of them matters."""
    path = layout_of(layout).path
    expected: list[tuple[str, object, object]] = [
        ("algorithm", str(algorithm), part.algorithm),
        ("dimension", spec.dimension, part.dimension),
        ("metric", "COSINE", part.metric),
        ("data_type", "FLOAT32", part.data_type),
        ("layout", str(layout), part.key_type),
        ("prefix", key_prefix(spec.name), ",".join(part.prefixes)),
    ]
    found = {name: f"{path} {kind}" for name, path, kind in part.fields}
    expected += [(f"field {name}", f"{path}{name} {kind}", found.get(name, "none")) for name, kind in _FIELDS.items()]
    name = part_name(spec.name, algorithm)
    return [
        Violation(what, f"{name} has {what} {actual}, asked for {wanted}")
        for what, wanted, actual in expected
        if wanted != actual
    ]


def check_metadata(spec: IndexSpec, found: IndexMetadata) -> list[Violation]:
    """What differs between an index's metadata and what was asked for."""
    expected: list[tuple[str, object, object]] = [
        ("embedding_model", spec.embedding_model, found.embedding_model),
        ("dimension", spec.dimension, found.dimension),
    ]
    if not OLDEST_SCHEMA <= found.schema_version <= SCHEMA_VERSION:
        expected.append(("schema_version", SCHEMA_VERSION, found.schema_version))
    if spec.algorithms is not None:
        expected.append(("algorithms", sorted(map(str, spec.algorithms)), sorted(map(str, found.algorithms))))
    return [
        Violation(what, f"{spec.name} has {what} {actual}, asked for {wanted}")
        for what, wanted, actual in expected
        if wanted != actual
    ]


def refuse(index: str, differences: list[Violation]) -> None:
    """Raise FailedPrecondition (INDEX_DIFFERS) when there are any differences."""
    if differences:
        advice = "Ask for what it is, use another index name, or DropIndex, which keeps the memories, and make it anew"
        if any(one.field == "layout" for one in differences):
            advice = "Ask for what it is, or export its memories and import them into an index of another name"
        raise FailedPrecondition(
            Reason.INDEX_DIFFERS,
            f"index {index!r} differs from what was asked for: {'; '.join(one.description for one in differences)}. "
            f"{advice}",
            metadata={"index": index},
            violations=differences,
        )
