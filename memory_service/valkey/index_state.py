"""The state of an index in the engine: parts may be missing, and the metadata may be missing or mark a drop."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from memory_service.domain.types import Algorithm, EngineCapabilities, IndexInfo, Layout
from memory_service.valkey.index_commands import revision_of
from memory_service.valkey.index_parts import IndexPart
from memory_service.valkey.schema import (
    TERMS_VERSION,
    IndexMetadata,
    has_expiry_field,
    has_text_fields,
    key_prefix,
)


@dataclass(frozen=True, slots=True)
class IndexState:
    """The parts of an index and its metadata, decoded and as stored."""

    parts: Mapping[Algorithm, IndexPart]
    metadata: IndexMetadata | None
    record: bytes | None

    @property
    def exists(self) -> bool:
        """Whether any part or the metadata exists."""
        return bool(self.parts) or self.metadata is not None

    @property
    def dropping(self) -> bool:
        """Whether a drop has begun and not finished."""
        return self.metadata is not None and self.metadata.dropping is not None

    def is_foreign(self, name: str) -> bool:
        """Return whether other software created this index over other keys."""
        return self.metadata is None and any(part.prefixes != (key_prefix(name),) for part in self.parts.values())

    def info(self, name: str, capabilities: EngineCapabilities) -> IndexInfo | None:
        """Return the domain's description of the index; None when no part exists."""
        if not self.parts:
            return None
        part = next(iter(self.parts.values()))
        return IndexInfo(
            name=name,
            dimension=part.dimension,
            embedding_model=None if self.metadata is None else self.metadata.embedding_model,
            algorithms=frozenset(self.parts),
            ready=all(part.ready for part in self.parts.values()),
            memory_count=part.memory_count,
            indexing_failures=max(part.indexing_failures for part in self.parts.values()),
            text_parts=frozenset(algorithm for algorithm, part in self.parts.items() if has_text_fields(part)),
            expiry_parts=frozenset(algorithm for algorithm, part in self.parts.items() if has_expiry_field(part)),
            layout=Layout(part.key_type),
            has_earlier_terms=self.metadata is None or self.metadata.terms_version < TERMS_VERSION,
            revision=revision_of(self.record),
            capabilities=replace(capabilities, reports_missing_shards=part.reports_missing_shards),
        )
