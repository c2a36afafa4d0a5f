"""The use cases of single memories: Store, BatchStore, Get and Delete."""

import asyncio
from collections.abc import Sequence
from typing import TypeGuard

from memory_service.domain.embeddings import EmbeddedText, check_dimension
from memory_service.domain.errors import (
    AlreadyExists,
    InvalidRequest,
    MemoryServiceError,
    NotFound,
    Reason,
    engine_unavailable,
    invalid,
)
from memory_service.domain.ids import derived_id, is_generated_id, new_id
from memory_service.domain.indexes import Indexes
from memory_service.domain.languages import load_detector
from memory_service.domain.new_memory import NearDuplicate, NewMemory, StoreResult
from memory_service.domain.ports import Embedder, MemorySearch, MemoryStore, SearchOptions
from memory_service.domain.text_analysis import stored_terms
from memory_service.domain.types import Embedding, Filter, IndexInfo, Memory, now

_BATCH_CONCURRENCY = 32
"""Memories of one batch that are embedded and written concurrently. Each engine connection carries one write at a time,
because valkey-search stalls on pipelines of indexed writes."""

_MAX_NEAR_DUPLICATES = 10


class Memories:
    """Stores, reads and deletes the memories of one engine with one embedder."""

    def __init__(self, store: MemoryStore, search: MemorySearch, embedder: Embedder, indexes: Indexes) -> None:
        self._store = store
        self._search = search
        self._embedder = embedder
        self._indexes = indexes

    async def store(self, index: str, new: NewMemory) -> StoreResult:
        """Store one memory; return when the engine has acknowledged it.

        Raises:
            AlreadyExists: another memory of the user has the id or request_id.
            NotFound, FailedPrecondition, InvalidRequest: the index is missing, or has another model or dimension.
        """
        return await self._store_one(index, new, now())

    async def store_all(self, index: str, memories: Sequence[NewMemory]) -> list[StoreResult | MemoryServiceError]:
        """Store many memories; return for each what `store` returns or raises.

        Memories without a timestamp get the current time, one microsecond apart, in their order.

        Raises NotFound when the index is missing.
        """
        await self._indexes.current(index)
        limit = asyncio.Semaphore(_BATCH_CONCURRENCY)
        started = now()

        async def store_one(new: NewMemory, default_time: int) -> StoreResult | MemoryServiceError:
            async with limit:
                try:
                    return await self._store_one(index, new, default_time)
                except MemoryServiceError as error:
                    return error

        return await asyncio.gather(*(store_one(new, started + number) for number, new in enumerate(memories)))

    async def _store_one(self, index: str, new: NewMemory, default_time: int) -> StoreResult:
        expires_at = _expiry(new)
        generated_id = new_id()
        attempted: set[str] = set()
        timestamp = default_time if new.timestamp is None else new.timestamp
        return await self._indexes.retry_if_changed(
            index, lambda info: self._write(info, new, timestamp, expires_at, generated_id, attempted)
        )

    async def _write(
        self,
        info: IndexInfo,
        new: NewMemory,
        timestamp: int,
        expires_at: int | None,
        generated_id: str,
        attempted: set[str],
    ) -> StoreResult:
        """Write one memory to the index as `info` describes it. `attempted` holds the storage ids to which earlier
        attempts of this call wrote."""
        embedded = await self._embedded(info, new)
        embedding = embedded.embedding
        storage_id = await self._storage_id(info, new, generated_id)
        # Before the write: once the memory is stored, nothing may fail.
        duplicates = await self._near_duplicates(info, new, storage_id, embedding)
        memory = Memory(
            id=new.id or storage_id,
            user_id=new.user_id,
            session_id=new.session_id,
            role=new.role,
            content=new.content,
            timestamp=timestamp,
            labels=new.labels,
            metadata=new.metadata,
            expires_at=expires_at,
        )
        repeated = storage_id in attempted
        attempted.add(storage_id)
        await load_detector(new.content)
        terms = stored_terms(new.content)
        inserted = await self._store.insert(info, storage_id, memory, embedding, terms)
        existing = None if inserted else await self._existing(info, storage_id)
        if existing is not None and existing.is_expired() and await self._store.remove_expired(info, [storage_id]):
            inserted = await self._store.insert(info, storage_id, memory, embedding, terms)
        if inserted:
            return StoreResult(memory.id, memory.timestamp, False, memory.expires_at, duplicates, embedded.truncated)
        if existing is None or existing.is_expired():
            raise engine_unavailable(
                "has a key for this id that is not a memory of the index or is being removed; if this persists, "
                "Delete the id"
            )
        if not _is_same(existing, new):
            raise AlreadyExists(
                Reason.MEMORY_EXISTS,
                f"the user already has a different memory with this {'id' if new.id else 'request_id'}: "
                "use another one, or Delete that memory first",
                metadata={"id": memory.id},
            )
        truncated = repeated and embedded.truncated
        return StoreResult(memory.id, existing.timestamp, not repeated, existing.expires_at, duplicates, truncated)

    async def _existing(self, info: IndexInfo, storage_id: str) -> Memory | None:
        """Return the memory at a storage id that is taken; None if it is not a memory of this index."""
        [existing], [embedding] = await asyncio.gather(
            self._store.read(info, [storage_id]), self._store.embeddings(info, [storage_id])
        )
        return None if embedding is None else existing

    async def get(self, index: str, user_id: str | None, id_: str) -> Memory:
        """Return one memory of the user; `user_id` None accepts any user.

        Raises NotFound, also when the memory belongs to another user.
        """
        candidates = await self._indexes.retry_if_changed(
            index, lambda info: self._store.read(info, _storage_ids(user_id, id_))
        )
        for memory in candidates:
            if _is_addressed(memory, user_id, id_):
                return memory
        raise NotFound(
            Reason.MEMORY_NOT_FOUND,
            "no memory has this id in this scope: check id and user_id",
            metadata={"id": id_},
        )

    async def delete(self, index: str, user_id: str | None, ids: list[str]) -> tuple[list[str], list[str]]:
        """Delete memories of the user; `user_id` None accepts any user. Return the deleted and the missing ids."""
        return await self._indexes.retry_if_changed(index, lambda info: self._delete(info, user_id, ids))

    async def _delete(self, info: IndexInfo, user_id: str | None, ids: list[str]) -> tuple[list[str], list[str]]:
        unique_ids = list(dict.fromkeys(ids))
        candidates = [(id_, storage_id) for id_ in unique_ids for storage_id in _storage_ids(user_id, id_)]
        memories = await self._store.read(info, [storage_id for _, storage_id in candidates])
        # The first storage id that has the memory is the one that Get returns.
        chosen: dict[str, str] = {}
        for (id_, storage_id), memory in zip(candidates, memories, strict=True):
            if _is_addressed(memory, user_id, id_):
                chosen.setdefault(id_, storage_id)
        deleted = dict(zip(chosen, await self._store.delete(info, list(chosen.values())), strict=True))
        return [id_ for id_ in unique_ids if deleted.get(id_)], [id_ for id_ in unique_ids if not deleted.get(id_)]

    async def _embedded(self, info: IndexInfo, new: NewMemory) -> EmbeddedText:
        """Return the caller's embedding or the embedding of the content, after checking that it fits the index."""
        if new.embedding is not None:
            self._indexes.check_model(info, new.embedding_model)
            check_dimension(new.embedding, index=info.name, dimension=info.dimension, field="embedding")
            return EmbeddedText(new.embedding)
        self._indexes.check_model(info, self._embedder.model)
        try:
            return await self._embedder.embed(new.content)
        except InvalidRequest as error:
            raise error.for_field("content") from error

    async def _storage_id(self, info: IndexInfo, new: NewMemory, generated_id: str) -> str:
        """Return the storage id: derived from the caller's id or request_id, or else the generated id."""
        if is_generated_id(new.id):
            # An exported memory that is imported again may still be stored under the id that it got originally.
            [existing] = await self._store.read(info, [new.id])
            if _is_addressed(existing, new.user_id, new.id):
                return new.id
        if new.id:
            return derived_id("id", new.user_id, new.id)
        return derived_id("request", new.user_id, new.request_id) if new.request_id else generated_id

    async def _near_duplicates(
        self, info: IndexInfo, new: NewMemory, storage_id: str, embedding: Embedding
    ) -> tuple[NearDuplicate, ...]:
        if new.near_duplicate_min_score is None:
            return ()
        k = _MAX_NEAR_DUPLICATES + 1  # The memory itself may be among them.
        reply = await self._search.nearest(info, Filter(new.user_id), embedding, k, SearchOptions())
        return tuple(
            NearDuplicate(candidate.memory.id, candidate.similarity)
            for candidate in reply.value
            if candidate.storage_id != storage_id and candidate.similarity >= new.near_duplicate_min_score
        )[:_MAX_NEAR_DUPLICATES]


def _expiry(new: NewMemory) -> int | None:
    if new.ttl is not None:
        return now() + new.ttl
    if new.expires_at is not None and new.expires_at <= now():
        raise invalid("expire_time", "must be in the future", "store.expire_time")
    return new.expires_at


def _storage_ids(user_id: str | None, id_: str) -> list[str]:
    """Return where a memory with this id may be stored: under the id derived from a caller's id, or the id itself."""
    return [id_] if user_id is None else [derived_id("id", user_id, id_), id_]


def _is_addressed(memory: Memory | None, user_id: str | None, id_: str) -> TypeGuard[Memory]:
    """Return whether this is the unexpired memory of the user with this id."""
    return (
        memory is not None
        and memory.id == id_
        and (user_id is None or memory.user_id == user_id)
        and not memory.is_expired()
    )


def _is_same(existing: Memory, new: NewMemory) -> bool:
    """Return whether a repeated call would store the existing memory. The expiry may differ, because each call counts a
    ttl from its own time."""
    return (
        existing.user_id == new.user_id
        and existing.session_id == new.session_id
        and existing.role == new.role
        and existing.content == new.content
        and existing.labels == new.labels
        and existing.metadata == new.metadata
        and new.timestamp in {None, existing.timestamp}
    )
