"""The input and the result of a Store."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from memory_service.domain.types import Embedding, Role


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory to store.

    At most one of `id` and `request_id` is set, and at most one of `ttl` and `expires_at`, both in microseconds.
    `timestamp` None means now.
    """

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
    expires_at: int | None = None
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    near_duplicate_min_score: float | None = None


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A nearly identical memory of the same user, with its cosine similarity."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The result of a Store.

    `already_stored`: an earlier call wrote the memory. `truncated`: the embedder read only the beginning of the text.
    """

    id: str
    timestamp: int
    already_stored: bool
    expires_at: int | None = None
    near_duplicates: tuple[NearDuplicate, ...] = ()
    truncated: bool = False
