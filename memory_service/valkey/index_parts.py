"""Which part of an index answers."""

from collections.abc import Sequence

from memory_service.domain.errors import FailedPrecondition, Reason
from memory_service.domain.types import Algorithm, Filter, IndexInfo


def part(index: IndexInfo, preferred: Algorithm, *, extended: bool = False) -> Algorithm:
    """The preferred part, or the one that there is; with `extended` only such as have the fields for labels and words.

    Raises FailedPrecondition (INDEX_LACKS_FIELDS).
    """
    able = index.extended if extended else index.algorithms
    if not able:
        raise FailedPrecondition(
            Reason.INDEX_LACKS_FIELDS,
            f"index {index.name!r} lacks the fields for labels and words, because other software or an earlier version "
            "created it, or a part of it is missing: call EnsureIndex, which restores a missing part; if that changes "
            "nothing, DropIndex, which keeps the memories, and EnsureIndex (memory-service drop-index, ensure-index)",
            metadata={"index": index.name},
        )
    return preferred if preferred in able else next(iter(able))


def filtering_part(index: IndexInfo, where: Filter, terms: Sequence[str] = ()) -> Algorithm:
    """The part for searches without KNN, and with words."""
    return part(index, Algorithm.FLAT, extended=where.labelled or bool(terms))
