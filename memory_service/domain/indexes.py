"""Use cases of indexes: make or check one, describe one or all, and know cheaply what the current one is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from memory_service.domain.deadline import remaining, without_deadline
from memory_service.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    Reason,
    Unavailable,
    Violation,
    engine_silent,
    index_backfilling,
    index_busy,
    index_not_found,
    invalid,
)
from memory_service.domain.ports import Embedder, IndexChanged, IndexStore
from memory_service.domain.types import Algorithm, Dropped, IndexInfo, IndexSpec, Layout

T = TypeVar("T")

_ABOUT_INDEX = {Reason.MODEL_MISMATCH, Reason.DIMENSION_MISMATCH, Reason.INDEX_LACKS_FIELDS}

_ATTEMPTS = 5
"""Times that an operation is tried on an index that changes meanwhile."""

_LOOK_AGAIN = 1.0
"""Seconds after which an index is looked at again, while calls go on with what is known of it."""
_BELIEVED = 30.0
"""Seconds after which they wait for that."""

_LOADING = 60.0
"""Seconds that a caller waits for a description at most; the engine's own time limit is shorter."""

_SHARE_OF_A_LOOK = 0.25
"""Of a caller's time, where there is an older description to go on with."""

RESERVED_SUFFIX = "_flat"
"""Names ending so belong to the FLAT part of another index."""


class Indexes:
    """The indexes of one engine, for one embedder."""

    def __init__(self, engine: IndexStore, embedder: Embedder, *, default: str) -> None:
        """`default` is the index that a request means when it names none."""
        self._engine = engine
        self._embedder = embedder
        self._default = default
        self._known: dict[str, tuple[float, IndexInfo]] = {}
        self._looking: dict[str, asyncio.Task[IndexInfo | None]] = {}

    async def ensure(
        self,
        name: str,
        *,
        dimension: int | None = None,
        embedding_model: str = "",
        algorithms: frozenset[Algorithm] = frozenset(),
        layout: Layout | None = None,
    ) -> tuple[bool, IndexInfo]:
        """Create the index or check that it is as asked; wait until it is queryable. True when anything was created.

        Raises:
            InvalidRequest: a reserved name, or another model than the embedder's without its dimension.
            FailedPrecondition: INDEX_DIFFERS, with every difference.
        """
        name = name or self._default
        if name.endswith(RESERVED_SUFFIX):
            raise invalid("index", f"must not end in {RESERVED_SUFFIX!r}", "index.reserved")
        model = embedding_model or self._embedder.model
        if dimension is None and model != self._embedder.model:
            raise invalid("dimension", f"is needed with the embedding_model {model!r}", "index.dimension")
        spec = IndexSpec(
            name=name,
            dimension=dimension or self._embedder.dimension,
            embedding_model=model,
            algorithms=algorithms or None,
            layout=layout,
        )
        if model == self._embedder.model and spec.dimension != self._embedder.dimension:
            difference = f"{model} makes {self._embedder.dimension} dimensions, {dimension} were asked for"
            raise FailedPrecondition(
                Reason.INDEX_DIFFERS,
                f"index {name!r}: {difference}",
                metadata={"index": name},
                violations=[Violation("dimension", difference)],
            )
        self._known.pop(name, None)
        created, info = await self._engine.create(spec)
        self._remember(info, time.monotonic())
        return created, info

    async def describe(self, name: str) -> IndexInfo:
        """The index as it is now.

        Raises NotFound (INDEX_NOT_FOUND).
        """
        name = name or self._default
        started = time.monotonic()
        info = await self._engine.describe(name)
        if info is None:
            self._known.pop(name, None)
            raise index_not_found(name)
        self._remember(info, started)
        return info

    async def require_ready(self, name: str) -> IndexInfo:
        """The index as it is now, when it knows every memory: what it lists or counts is all that there is.

        Raises NotFound (INDEX_NOT_FOUND), Unavailable (INDEX_BACKFILLING).
        """
        info = await self.describe(name)
        if not info.ready:
            raise index_backfilling(info.name)
        return info

    async def list(self) -> list[IndexInfo]:
        """All indexes, in the order of their names."""
        return await self._engine.describe_all()

    async def drop(self, name: str, *, delete_memories: bool) -> Dropped:
        """Remove the index, and its memories if asked to.

        Raises NotFound (INDEX_NOT_FOUND).
        """
        try:
            dropped = await self._engine.drop(name, delete_memories=delete_memories)
        finally:
            self.forget(name)
        if dropped is None:
            raise index_not_found(name)
        return dropped

    async def current(self, name: str) -> IndexInfo:
        """The index as it was seen within the last seconds: calls wait for no engine command while that holds.

        Raises NotFound (INDEX_NOT_FOUND).
        """
        name = name or self._default
        seen, known = self._known.get(name, (0.0, None))
        age = time.monotonic() - seen
        if known is None or age > (_BELIEVED if known.ready else _LOOK_AGAIN):
            # One caller's cancellation must not fail the others that wait for the same answer: hence the shield.
            limit = remaining(_LOADING)
            try:
                async with asyncio.timeout(limit if known is None else limit * _SHARE_OF_A_LOOK):
                    known = await asyncio.shield(self._look(name))
                seen, _ = self._known.get(name, (seen, None))
            except (TimeoutError, Unavailable) as error:
                # While nobody can tell, what was known is believed on: commands meet what may have changed.
                if known is None:
                    raise (engine_silent(limit) if isinstance(error, TimeoutError) else error) from error
        elif age > _LOOK_AGAIN:
            self._look(name)
        if known is None:
            raise index_not_found(name)
        if seen <= self._engine.broken_at():
            self._look(name)
            return replace(known, ready=False)
        return known

    async def retry_if_changed(self, name: str, use: Callable[[IndexInfo], Awaitable[T]], *, ready: bool = False) -> T:
        """The result of `use` with the index; again, with the index as it is by then, when `use` finds that another
        server has changed it. With `ready` the index is looked at first and must know every memory.

        Raises NotFound (INDEX_NOT_FOUND), Unavailable (INDEX_BACKFILLING, or the index keeps changing).
        """
        for _ in range(_ATTEMPTS):
            info = await (self.require_ready(name) if ready else self.current(name))
            try:
                return await use(info)
            except IndexChanged:
                self.forget(name)
            except (FailedPrecondition, InvalidRequest) as error:
                # Judged by what was known of the index, without a command that would have found it changed.
                if error.reason not in _ABOUT_INDEX or (await self.describe(name)).revision == info.revision:
                    raise
        raise index_busy("it is being dropped and created again")

    def _look(self, name: str) -> asyncio.Task[IndexInfo | None]:
        """Describe the index anew, at most once at a time."""
        if (looking := self._looking.get(name)) is not None:
            return looking

        started = time.monotonic()

        def looked(task: asyncio.Task[IndexInfo | None]) -> None:
            # What fails in the background is met, and reported, by the calls that need the engine.
            failed = task.cancelled() or task.exception() is not None
            if self._looking.get(name) is not task:
                return  # The index has changed since this look began.
            del self._looking[name]
            if not failed:
                self._known.pop(name, None)
                if (info := task.result()) is not None:
                    self._remember(info, started)

        looking = asyncio.create_task(self._engine.describe(name), context=without_deadline())
        looking.add_done_callback(looked)
        self._looking[name] = looking
        return looking

    def forget(self, name: str) -> None:
        """Rely no longer on what is known of this index, or is being found out: it has just changed."""
        self._known.pop(name or self._default, None)
        self._looking.pop(name or self._default, None)

    def check_model(self, info: IndexInfo, model: str) -> None:
        """Refuse embeddings of another model than the index's. An empty model is the caller's word that it fits.

        Raises FailedPrecondition (MODEL_MISMATCH).
        """
        if info.embedding_model is None and info.extended:
            advice = (
                "the key with its record is gone, as when Valkey evicts keys or a backup left it out. EnsureIndex with "
                "the model that made its embeddings restores it (memory-service ensure-index); set maxmemory-policy to "
                "noeviction"
            )
        elif info.embedding_model is None:
            advice = "other software created it: adopt it with EnsureIndex (memory-service ensure-index)"
        elif model and model != info.embedding_model:
            advice = "use that model, or another index"
        else:
            return
        held = info.embedding_model or "an unknown model"
        message = f"index {info.name!r} holds embeddings of {held}, not {model or 'a stated one'}: {advice}"
        raise FailedPrecondition(
            Reason.MODEL_MISMATCH,
            message,
            metadata={"index": info.name, "index_model": info.embedding_model or "", "model": model},
            violations=[Violation("embedding_model", message)],
        )

    def _remember(self, info: IndexInfo, seen: float) -> None:
        if len(self._known) >= 1000:
            self._known.clear()
        self._known[info.name] = (seen, info)
