"""Use cases of single memories: store one or many, get, delete."""

import asyncio
from collections.abc import Sequence
from typing import TypeGuard

from memory_service.domain.embeddings import EmbeddedText, check_dimension
from memory_service.domain.errors import (
    AlreadyExists,
    MemoryServiceError,
    NotFound,
    Reason,
    engine_unavailable,
    invalid,
)
from memory_service.domain.ids import derived_id, is_made_id, new_id
from memory_service.domain.indexes import Indexes
from memory_service.domain.new_memory import NearDuplicate, NewMemory, Stored
from memory_service.domain.ports import Embedder, MemorySearch, MemoryStore, SearchOptions
from memory_service.domain.text_analysis import terms
from memory_service.domain.types import Embedding, Filter, IndexInfo, Memory, now

_AT_ONCE = 32
"""Memories of one batch that are embedded and written at once: embedders take them in lots, and each connection to the
engine carries one write at a time, since valkey-search stalls on pipelines of indexed writes."""

_MOST_DUPLICATES = 10


class Memories:
    """The memories of one engine, for one embedder."""

    def __init__(self, store: MemoryStore, search: MemorySearch, embedder: Embedder, indexes: Indexes) -> None:
        self._store = store
        self._search = search
        self._embedder = embedder
        self._indexes = indexes

    async def store(self, index: str, new: NewMemory) -> Stored:
        """Write one memory; return when the engine has acknowledged it.

        Raises:
            AlreadyExists: the id or request_id names another memory of the user.
            NotFound, FailedPrecondition, InvalidRequest: the index is missing, of another model, or another dimension.
        """
        return await self._store_one(index, new, now())

    async def store_all(self, index: str, news: Sequence[NewMemory]) -> list[Stored | MemoryServiceError]:
        """Write many memories; return for each what `store` returns or raises. Those without a timestamp get one each,
        a microsecond apart, in their order.

        Raises NotFound when the index is missing.
        """
        await self._indexes.current(index)
        turn = asyncio.Semaphore(_AT_ONCE)
        started = now()

        async def one(new: NewMemory, time: int) -> Stored | MemoryServiceError:
            async with turn:
                try:
                    return await self._store_one(index, new, time)
                except MemoryServiceError as error:
                    return error

        return await asyncio.gather(*(one(new, started + place) for place, new in enumerate(news)))

    async def _store_one(self, index: str, new: NewMemory, time: int) -> Stored:
        """Write one memory, at `time` unless it has a time of its own."""
        expires = _expiry(new)
        made = new_id()
        attempted: set[str] = set()
        timestamp = time if new.timestamp is None else new.timestamp
        return await self._indexes.retry_if_changed(
            index, lambda info: self._write(info, new, timestamp, expires, made, attempted)
        )

    async def _write(
        self, info: IndexInfo, new: NewMemory, timestamp: int, expires: int | None, made: str, attempted: set[str]
    ) -> Stored:
        """Write one memory to the index as it is known. `made` is its id if it needs one; `attempted` are the slots to
        which earlier attempts of this call wrote."""
        embedded = await self._embedded(info, new)
        embedding = embedded.embedding
        slot = await self._slot(info, new, made)
        # Looked for first: once the memory is written, nothing may fail.
        duplicates = await self._near_duplicates(info, new, slot, embedding)
        memory = Memory(
            id=new.id or slot,
            user_id=new.user_id,
            session_id=new.session_id,
            role=new.role,
            content=new.content,
            timestamp=timestamp,
            labels=new.labels,
            metadata=new.metadata,
            expires=expires,
        )
        again = slot in attempted
        attempted.add(slot)
        stems = terms(new.content)
        inserted = await self._store.insert(info, slot, memory, embedding, stems)
        earlier = None if inserted else await self._earlier(info, slot)
        if earlier is not None and earlier.expired() and await self._store.remove_expired(info, [slot]):
            inserted = await self._store.insert(info, slot, memory, embedding, stems)
        if inserted:
            return Stored(memory.id, memory.timestamp, False, memory.expires, duplicates, embedded.truncated)
        if earlier is None or earlier.expired():
            raise engine_unavailable(
                "holds something under this id that is no memory of the index, or is being removed; if this persists, "
                "Delete the id"
            )
        if not _is_same(earlier, new):
            raise AlreadyExists(
                Reason.MEMORY_EXISTS,
                f"the user already has another memory under the {'id' if new.id else 'request_id'} of this one: "
                "choose a new one, or Delete that memory first",
                metadata={"id": memory.id},
            )
        truncated = again and embedded.truncated
        return Stored(memory.id, earlier.timestamp, not again, earlier.expires, duplicates, truncated)

    async def _earlier(self, info: IndexInfo, slot: str) -> Memory | None:
        """The memory at a slot that is taken; None when what is there is no memory of this index."""
        [earlier], [embedding] = await asyncio.gather(
            self._store.read(info, [slot]), self._store.embeddings(info, [slot])
        )
        return None if embedding is None else earlier

    async def get(self, index: str, user_id: str | None, id_: str) -> Memory:
        """One memory of the user, or with None of anyone.

        Raises NotFound, for another user's memory as for none.
        """
        read = await self._indexes.retry_if_changed(index, lambda info: self._store.read(info, _slots(user_id, id_)))
        for memory in read:
            if _answers_to(memory, user_id, id_):
                return memory
        raise NotFound(
            Reason.MEMORY_NOT_FOUND,
            "there is no memory with this id in this scope: check the id and the user_id",
            metadata={"id": id_},
        )

    async def delete(self, index: str, user_id: str | None, ids: list[str]) -> tuple[list[str], list[str]]:
        """Delete memories of the user, or with None of anyone; return the ids deleted and those that were not there."""
        return await self._indexes.retry_if_changed(index, lambda info: self._delete(info, user_id, ids))

    async def _delete(self, info: IndexInfo, user_id: str | None, ids: list[str]) -> tuple[list[str], list[str]]:
        wanted = list(dict.fromkeys(ids))
        candidates = [(id_, slot) for id_ in wanted for slot in _slots(user_id, id_)]
        read = await self._store.read(info, [slot for _, slot in candidates])
        # The first slot that answers to an id is the one that Get returns.
        chosen: dict[str, str] = {}
        for (id_, slot), memory in zip(candidates, read, strict=True):
            if _answers_to(memory, user_id, id_):
                chosen.setdefault(id_, slot)
        outcome = dict(zip(chosen, await self._store.delete(info, list(chosen.values())), strict=True))
        deleted = [id_ for id_ in wanted if outcome.get(id_)]
        return deleted, [id_ for id_ in wanted if not outcome.get(id_)]

    async def _embedded(self, info: IndexInfo, new: NewMemory) -> EmbeddedText:
        """The caller's embedding, or else the content's, once it is known to fit the index."""
        if new.embedding is not None:
            self._indexes.check_model(info, new.embedding_model)
            check_dimension(new.embedding, index=info.name, dimension=info.dimension, field="embedding")
            return EmbeddedText(new.embedding)
        self._indexes.check_model(info, self._embedder.model)
        return await self._embedder.embed(new.content)

    async def _slot(self, info: IndexInfo, new: NewMemory, made: str) -> str:
        """Where the memory belongs: at the slot of what the caller chose, or at `made`."""
        if is_made_id(new.id):
            # Exported and imported again: it may lie where it was first stored, under the id that it was given there.
            [there] = await self._store.read(info, [new.id])
            if _answers_to(there, new.user_id, new.id):
                return new.id
        if new.id:
            return derived_id("id", new.user_id, new.id)
        return derived_id("request", new.user_id, new.request_id) if new.request_id else made

    async def _near_duplicates(
        self, info: IndexInfo, new: NewMemory, slot: str, embedding: Embedding
    ) -> tuple[NearDuplicate, ...]:
        if new.near_duplicate_min_score is None:
            return ()
        found = await self._search.nearest(info, Filter(new.user_id), embedding, _MOST_DUPLICATES + 1, SearchOptions())
        return tuple(
            NearDuplicate(one.memory.id, one.similarity)
            for one in found
            if one.slot != slot and one.similarity >= new.near_duplicate_min_score
        )[:_MOST_DUPLICATES]


def _expiry(new: NewMemory) -> int | None:
    if new.ttl is not None:
        return now() + new.ttl
    if new.expires is not None and new.expires <= now():
        raise invalid("expire_time", "must lie in the future", "store.expire_time")
    return new.expires


def _slots(user_id: str | None, id_: str) -> list[str]:
    """Where a memory with this id can lie: at the slot derived from a caller's id, or at the id itself."""
    return [id_] if user_id is None else [derived_id("id", user_id, id_), id_]


def _answers_to(memory: Memory | None, user_id: str | None, id_: str) -> TypeGuard[Memory]:
    return (
        memory is not None
        and memory.id == id_
        and (user_id is None or memory.user_id == user_id)
        and not memory.expired()
    )


def _is_same(earlier: Memory, new: NewMemory) -> bool:
    """Whether an earlier memory is what a repeated call would store; when it ends is not asked, since a ttl counts from
    each call anew."""
    return (
        earlier.user_id == new.user_id
        and earlier.session_id == new.session_id
        and earlier.role == new.role
        and earlier.content == new.content
        and earlier.labels == new.labels
        and earlier.metadata == new.metadata
        and new.timestamp in {None, earlier.timestamp}
    )
