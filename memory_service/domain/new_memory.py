"""A memory to be stored, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from memory_service.domain.types import Embedding, Role


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory to be stored. At most one of `id` and `request_id` is set, and one of `ttl` and `expires`; `timestamp`
    None means now."""

    user_id: str
    session_id: str
    role: Role
    content: str
    timestamp: int | None = None
    id: str = ""
    request_id: str = ""
    embedding: Embedding | None = None
    embedding_model: str = ""
    ttl: int | None = None
    expires: int | None = None
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    near_duplicate_min_score: float | None = None


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Another memory of the user, nearly the same: its id and cosine similarity."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a memory to be stored. `already` means that an earlier call had written it,
    `truncated` that the embedder read only the beginning of the content."""

    id: str
    timestamp: int
    already: bool
    expires: int | None = None
    near_duplicates: tuple[NearDuplicate, ...] = ()
    truncated: bool = False
