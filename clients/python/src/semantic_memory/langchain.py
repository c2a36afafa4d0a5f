"""Memory for LangChain: a retriever over all sessions of a user, and the history of one session."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, messages_from_dict, messages_to_dict
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, field_validator

from semantic_memory.client import MemoryClient, require_sync
from semantic_memory.errors import to_batch_error
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_TOOL, ROLE_USER, Memory, MemoryFilter, Role
from semantic_memory.values import from_metadata, require_text, to_metadata

_ROLES = {"human": ROLE_USER, "ai": ROLE_ASSISTANT, "tool": ROLE_TOOL}
_BATCH = 100
_BATCH_BYTES = 3 * 2**20
"""Less than the 4 MiB that a request may have: the client adds ids and times."""
_MOST_IDS = 1000
_LONGEST_CONTENT = 50_000

_log = logging.getLogger(__name__)


class SemanticMemoryRetriever(BaseRetriever):
    """What a user's memories say on a query, best first."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: MemoryClient
    user_id: str
    k: int = 5
    min_score: float | None = None

    @field_validator("client", mode="before")
    @classmethod
    def _require_sync(cls, client: object) -> MemoryClient:
        return require_sync(client, cls.__name__)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain gives the signature
        k: int | None = None,
    ) -> list[Document]:
        request = pb.SearchRequest(query_text=query, filter=MemoryFilter(user_id=self.user_id), k=k or self.k)
        if self.min_score is not None:
            request.min_score = self.min_score
        return [_document(hit) for hit in self.client.search(request)]


def _document(hit: pb.Hit) -> Document:
    memory = hit.memory
    about: dict[str, Any] = {
        "session_id": memory.session_id,
        "role": Role.Name(memory.role).removeprefix("ROLE_").lower(),
        "timestamp": memory.timestamp.ToDatetime(UTC).isoformat(),
        "score": hit.score,
    }
    return Document(id=memory.id, page_content=memory.content, metadata=about)


class SemanticMemoryChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session. What they say is found by meaning from all other sessions of the user too.

    Memories that other software stored in the session are neither shown nor cleared.
    """

    def __init__(self, client: MemoryClient, *, user_id: str, session_id: str) -> None:
        """Reads and writes begin with the first use.

        Raises:
            TypeError: the client is not a MemoryClient.
            ValueError: the session_id is empty.
        """
        if not session_id:
            raise ValueError("session_id is empty: a history belongs to one session, so name it")
        self._client = require_sync(client, "SemanticMemoryChatMessageHistory")
        self._user = user_id
        self._session = session_id

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # the base has a field where others have this
        """The messages of the session, oldest first."""
        return [message for memory in self._stored() if (message := _message(memory)) is not None]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Append messages, in their order, with the server's time.

        Raises:
            TypeError, ValueError: a message is no JSON, or too large; none was stored.
            MemoryServiceError: the first error of the server; other messages may be stored.
        """
        stores = [self._store(message) for message in messages]
        last = 0
        for batch in _batches(stores):
            for place, store in enumerate(batch if last else ()):
                store.timestamp.FromMicroseconds(last + 1 + place)  # Another server's clock may be behind.
            results = self._client.batch_store(pb.BatchStoreRequest(memories=batch)).results
            for result in results:
                if result.HasField("error"):
                    raise to_batch_error(result.error)
            last = results[-1].stored.timestamp.ToMicroseconds()

    def clear(self) -> None:
        """Delete the messages of the session."""
        ids = [memory.id for memory in self._stored()]
        for start in range(0, len(ids), _MOST_IDS):
            self._client.delete(pb.DeleteRequest(user_id=self._user, ids=ids[start : start + _MOST_IDS]))

    def _stored(self) -> Iterator[Memory]:
        where = MemoryFilter(user_id=self._user, session_ids=[self._session])
        request = pb.ListRequest(filter=where, page_size=1000)
        while True:
            page = self._client.list(request)
            yield from filter(_kept, page.memories)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def _store(self, message: BaseMessage) -> pb.StoreRequest:
        # A message of tool calls alone has no text, and a memory must have one.
        content = str(message.text)[:_LONGEST_CONTENT]
        content = content if content.strip() else message.type
        require_text("the text of a message", content)
        return pb.StoreRequest(
            user_id=self._user,
            session_id=self._session,
            role=_ROLES.get(message.type, ROLE_SYSTEM),
            content=content,
            metadata=to_metadata(messages_to_dict([message])[0]),
        )


def _batches(stores: Sequence[pb.StoreRequest]) -> Iterator[list[pb.StoreRequest]]:
    batch: list[pb.StoreRequest] = []
    size = 0
    for store in stores:
        if batch and (len(batch) == _BATCH or size + store.ByteSize() > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(store)
        size += store.ByteSize()
    if batch:
        yield batch


def _kept(memory: Memory) -> dict[str, Any] | None:
    """The message that a memory carries, as LangChain writes it, or None for a memory of other software."""
    kept = from_metadata(memory.metadata)
    is_message = isinstance(kept, dict) and isinstance(kept.get("type"), str) and isinstance(kept.get("data"), dict)
    return kept if is_message else None


def _message(memory: Memory) -> BaseMessage | None:
    try:
        return messages_from_dict([_kept(memory) or {}])[0]
    except Exception as error:  # noqa: BLE001 - LangChain raises all kinds for what it did not write
        _log.warning("skipped memory %s: LangChain cannot read its message (%s)", memory.id, type(error).__name__)
        return None
