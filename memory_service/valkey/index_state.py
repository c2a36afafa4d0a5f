"""An index as the engine has it: parts that may be missing, and a record that may be gone or say that it is dropped."""

from collections.abc import Mapping
from dataclasses import dataclass

from memory_service.domain.types import Algorithm, IndexInfo, IndexPart, Layout
from memory_service.valkey.index_commands import revision_of
from memory_service.valkey.schema import IndexMetadata, is_expiring, is_extended, key_prefix


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """Its parts, its record, and the record's text."""

    parts: Mapping[Algorithm, IndexPart]
    metadata: IndexMetadata | None
    record: bytes | None

    @property
    def exists(self) -> bool:
        """Whether there is anything of it."""
        return bool(self.parts) or self.metadata is not None

    @property
    def dropping(self) -> bool:
        """Whether a drop of it has begun and not ended."""
        return self.metadata is not None and self.metadata.dropping is not None

    def is_foreign(self, name: str) -> bool:
        """Whether this is another program's index, over other keys."""
        return self.metadata is None and any(part.prefixes != (key_prefix(name),) for part in self.parts.values())

    def info(self, name: str) -> IndexInfo | None:
        """What the domain knows of it; None when no part is there."""
        if not self.parts:
            return None
        some = next(iter(self.parts.values()))
        return IndexInfo(
            name=name,
            dimension=some.dimension,
            embedding_model=None if self.metadata is None else self.metadata.embedding_model,
            algorithms=frozenset(self.parts),
            ready=all(part.ready for part in self.parts.values()),
            memory_count=some.memory_count,
            indexing_failures=max(part.indexing_failures for part in self.parts.values()),
            extended=frozenset(algorithm for algorithm, part in self.parts.items() if is_extended(part)),
            expiring=frozenset(algorithm for algorithm, part in self.parts.items() if is_expiring(part)),
            layout=Layout(some.key_type),
            revision=revision_of(self.record),
            reports_missing_shards=some.reports_missing_shards,
        )
