"""The use cases of indexes: create or check, describe, list and drop. Other use cases access indexes through it."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from memory_service.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    Reason,
    Violation,
    index_backfilling,
    index_busy,
    index_not_found,
    invalid,
)
from memory_service.domain.index_cache import IndexCache
from memory_service.domain.ports import Embedder, IndexChanged, IndexStore
from memory_service.domain.types import Algorithm, DropResult, IndexInfo, IndexSpec, Layout

T = TypeVar("T")

_INDEX_REASONS = {Reason.MODEL_MISMATCH, Reason.DIMENSION_MISMATCH, Reason.INDEX_LACKS_FIELDS}
"""Errors that follow from the description of an index alone."""

_ATTEMPTS = 5
"""Attempts of an operation whose index keeps changing."""

RESERVED_SUFFIX = "_flat"
"""Names with this suffix belong to the FLAT part of another index."""


class Indexes:
    """Manages the indexes of one engine for one embedder."""

    def __init__(self, engine: IndexStore, embedder: Embedder, *, default: str) -> None:
        """`default` is the index of requests that do not name one."""
        self._engine = engine
        self._embedder = embedder
        self._default = default
        self._cache = IndexCache(engine)

    async def ensure(
        self,
        name: str,
        *,
        dimension: int | None = None,
        embedding_model: str = "",
        algorithms: frozenset[Algorithm] = frozenset(),
        layout: Layout | None = None,
    ) -> tuple[bool, IndexInfo]:
        """Create the index, or check that it is as requested, and wait until it is ready. Return True if anything was
        created.

        Raises:
            InvalidRequest: the name is reserved, or a model other than the embedder's has no dimension.
            FailedPrecondition: INDEX_DIFFERS, with every difference.
        """
        name = name or self._default
        if name.endswith(RESERVED_SUFFIX):
            raise invalid("index", f"must not end in {RESERVED_SUFFIX!r}", "index.reserved")
        model = embedding_model or self._embedder.model
        if dimension is None and model != self._embedder.model:
            description = f"is required with embedding_model {model!r}, which is not the server's model"
            raise invalid("dimension", description, "index.dimension")
        spec = IndexSpec(
            name=name,
            dimension=dimension or self._embedder.dimension,
            embedding_model=model,
            algorithms=algorithms or None,
            layout=layout,
        )
        if model == self._embedder.model and spec.dimension != self._embedder.dimension:
            difference = f"{model} has {self._embedder.dimension} dimensions, but the request has {dimension}"
            raise FailedPrecondition(
                Reason.INDEX_DIFFERS,
                f"index {name!r}: {difference}",
                metadata={"index": name},
                violations=[Violation("dimension", difference)],
            )
        self._cache.invalidate(name)
        created, info = await self._engine.create(spec)
        self._cache.remember(info, time.monotonic())
        return created, info

    async def describe(self, name: str) -> IndexInfo:
        """Return the current state of the index.

        Raises NotFound (INDEX_NOT_FOUND).
        """
        name = name or self._default
        started = time.monotonic()
        info = await self._engine.describe(name)
        if info is None:
            self._cache.invalidate(name)
            raise index_not_found(name)
        self._cache.remember(info, started)
        return info

    async def require_ready(self, name: str) -> IndexInfo:
        """Return the current state of the index if it contains every memory, so that lists and counts are complete.

        Raises NotFound (INDEX_NOT_FOUND), Unavailable (INDEX_BACKFILLING).
        """
        info = await self.describe(name)
        if not info.ready:
            raise index_backfilling(info.name)
        return info

    async def list(self) -> list[IndexInfo]:
        """Return all indexes, ordered by name."""
        return await self._engine.describe_all()

    async def drop(self, name: str, *, delete_memories: bool) -> DropResult:
        """Remove the index and, on request, its memories.

        Raises NotFound (INDEX_NOT_FOUND).
        """
        try:
            result = await self._engine.drop(name, delete_memories=delete_memories)
        finally:
            self._cache.invalidate(name)
        if result is None:
            raise index_not_found(name)
        return result

    async def current(self, name: str) -> IndexInfo:
        """Return a description of the index that is at most seconds old, without an engine command if possible.

        Raises NotFound (INDEX_NOT_FOUND).
        """
        name = name or self._default
        info = await self._cache.current(name)
        if info is None:
            raise index_not_found(name)
        return info

    async def retry_if_changed(self, name: str, use: Callable[[IndexInfo], Awaitable[T]], *, ready: bool = False) -> T:
        """Return the result of `use` for the index. If `use` finds that another server changed the index, describe the
        index again and retry. With `ready`, describe the index first and require that it is ready.

        Raises NotFound (INDEX_NOT_FOUND), Unavailable (INDEX_BACKFILLING, or the index keeps changing).
        """
        for _ in range(_ATTEMPTS):
            info = await (self.require_ready(name) if ready else self.current(name))
            try:
                return await use(info)
            except IndexChanged:
                self._cache.invalidate(name or self._default)
            except (FailedPrecondition, InvalidRequest) as error:
                # The description may be stale: it is an error only if the index is still the same.
                if error.reason not in _INDEX_REASONS or (await self.describe(name)).revision == info.revision:
                    raise
        raise index_busy("it is being dropped and recreated")

    def check_model(self, info: IndexInfo, model: str) -> None:
        """Check that embeddings of this model fit the index. An empty model is not compared: the caller is responsible.

        Raises FailedPrecondition (MODEL_MISMATCH).
        """
        if info.embedding_model is None and info.text_parts:
            advice = (
                "the key with its metadata is missing; Valkey may have evicted it, or a backup left it out. Restore it "
                "with EnsureIndex (memory-service ensure-index) and the model that made its embeddings, and set "
                "maxmemory-policy to noeviction"
            )
        elif info.embedding_model is None:
            advice = "other software created it: adopt it with EnsureIndex (memory-service ensure-index)"
        elif model and model != info.embedding_model:
            advice = "use that model, or another index"
        else:
            return
        index_model = info.embedding_model or "an unknown model"
        message = (
            f"index {info.name!r} has embeddings of {index_model}, not of {model or 'the requested one'}: {advice}"
        )
        raise FailedPrecondition(
            Reason.MODEL_MISMATCH,
            message,
            metadata={"index": info.name, "index_model": info.embedding_model or "", "model": model},
            violations=[Violation("embedding_model", message)],
        )
