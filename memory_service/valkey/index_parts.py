"""The parts of an index: one engine index per algorithm, and the choice of the part that answers a search."""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_service.domain.errors import FailedPrecondition, Reason
from memory_service.domain.types import Algorithm, Filter, IndexInfo


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One engine index as FT.INFO describes it. `fields` are (name, path, type)."""

    algorithm: str
    dimension: int
    metric: str
    data_type: str
    key_type: str
    prefixes: tuple[str, ...]
    fields: frozenset[tuple[str, str, str]]
    ready: bool
    memory_count: int
    indexing_failures: int
    reports_missing_shards: bool


def choose_part(index: IndexInfo, preferred: Algorithm, *, needs_text: bool = False) -> Algorithm:
    """Return the preferred part, or another one if it is missing. With `needs_text`, only a part that has the fields
    for labels and words.

    Raises FailedPrecondition (INDEX_LACKS_FIELDS).
    """
    suitable = index.text_parts if needs_text else index.algorithms
    if not suitable:
        raise FailedPrecondition(
            Reason.INDEX_LACKS_FIELDS,
            f"index {index.name!r} lacks the fields for labels and words: other software or an earlier version created "
            "it, or a part is missing. EnsureIndex restores a missing part; if that does not help, DropIndex, which "
            "keeps the memories, and then EnsureIndex (memory-service drop-index, ensure-index)",
            metadata={"index": index.name},
        )
    return preferred if preferred in suitable else next(iter(suitable))


def choose_filter_part(index: IndexInfo, where: Filter, words: Sequence[object] = ()) -> Algorithm:
    """Return the part for a search without KNN, or with words."""
    return choose_part(index, Algorithm.FLAT, needs_text=where.uses_labels or bool(words))
