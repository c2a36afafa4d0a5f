"""Memory for LangChain: a retriever over all sessions of a user, and the message history of one session."""

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

from semantic_memory._metadata import from_metadata, require_text, to_metadata
from semantic_memory.client import MemoryClient, require_sync
from semantic_memory.errors import to_batch_error
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_TOOL, ROLE_USER, Memory, Role

_ROLES = {"human": ROLE_USER, "ai": ROLE_ASSISTANT, "tool": ROLE_TOOL}
_MAX_BATCH = 100
_MAX_BATCH_BYTES = 3 * 2**20
"""Less than the 4 MiB of a request: the client adds ids and times."""
_MAX_IDS = 1000
_MAX_CONTENT = 50_000

_log = logging.getLogger(__name__)


class SemanticMemoryRetriever(BaseRetriever):
    """Returns the memories of a user that are nearest to a query, best first."""

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
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain defines the signature
        k: int | None = None,
    ) -> list[Document]:
        hits = self.client.search(query, user_id=self.user_id, k=k or self.k, min_score=self.min_score)
        return [_document(hit) for hit in hits]


def _document(hit: pb.Hit) -> Document:
    memory = hit.memory
    metadata: dict[str, Any] = {
        "session_id": memory.session_id,
        "role": Role.Name(memory.role).removeprefix("ROLE_").lower(),
        "timestamp": memory.timestamp.ToDatetime(UTC).isoformat(),
        "score": hit.score,
    }
    return Document(id=memory.id, page_content=memory.content, metadata=metadata)


class SemanticMemoryChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session. Searches in all sessions of the user find them by meaning.

    It ignores memories that other software stored in the session.
    """

    def __init__(self, client: MemoryClient, *, user_id: str, session_id: str) -> None:
        """Create a history. It makes no call.

        Raises:
            TypeError: the client is not a MemoryClient.
            ValueError: the session_id is empty.
        """
        if not session_id:
            raise ValueError("session_id is empty: a history needs the name of its session")
        self._client = require_sync(client, "SemanticMemoryChatMessageHistory")
        self._user = user_id
        self._session = session_id

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # the base class declares a field
        """The messages of the session, oldest first."""
        return [message for memory in self._memories() if (message := _message(memory)) is not None]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Append messages in their order, with the time of the server.

        Raises:
            TypeError, ValueError: a message cannot be written as JSON, or is too large. None was stored.
            MemoryServiceError: the first error of the server. Other messages may be stored.
        """
        requests = [self._store_request(message) for message in messages]
        last = 0
        for batch in _batches(requests):
            for place, request in enumerate(batch if last else ()):
                request.timestamp.FromMicroseconds(last + 1 + place)  # The clock of another server may be behind.
            results = self._client.batch_store(batch).results
            for result in results:
                if result.HasField("error"):
                    raise to_batch_error(result.error)
            last = results[-1].stored.timestamp.ToMicroseconds()

    def clear(self) -> None:
        """Delete the messages of the session."""
        ids = [memory.id for memory in self._memories()]
        for start in range(0, len(ids), _MAX_IDS):
            self._client.delete(ids[start : start + _MAX_IDS], user_id=self._user)

    def _memories(self) -> Iterator[Memory]:
        """Yield the memories that are messages, oldest first."""
        token = ""
        while True:
            page = self._client.list(user_id=self._user, session_ids=self._session, page_size=1000, page_token=token)
            yield from filter(_message_dict, page.memories)
            token = page.next_page_token
            if not token:
                return

    def _store_request(self, message: BaseMessage) -> pb.StoreRequest:
        # A message with tool calls only has no text, but a memory needs one.
        content = str(message.text)[:_MAX_CONTENT]
        content = content if content.strip() else message.type
        require_text("the text of a message", content)
        return pb.StoreRequest(
            user_id=self._user,
            session_id=self._session,
            role=_ROLES.get(message.type, ROLE_SYSTEM),
            content=content,
            metadata=to_metadata(messages_to_dict([message])[0]),
        )


def _batches(requests: Sequence[pb.StoreRequest]) -> Iterator[list[pb.StoreRequest]]:
    batch: list[pb.StoreRequest] = []
    size = 0
    for request in requests:
        if batch and (len(batch) == _MAX_BATCH or size + request.ByteSize() > _MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += request.ByteSize()
    if batch:
        yield batch


def _message_dict(memory: Memory) -> dict[str, Any] | None:
    """Return the message in a memory, as LangChain writes it, or None for a memory of other software."""
    value = from_metadata(memory.metadata)
    is_message = isinstance(value, dict) and isinstance(value.get("type"), str) and isinstance(value.get("data"), dict)
    return value if is_message else None


def _message(memory: Memory) -> BaseMessage | None:
    try:
        return messages_from_dict([_message_dict(memory) or {}])[0]
    except Exception as error:  # noqa: BLE001 - LangChain raises any exception for an unknown message
        _log.warning("skipped memory %s: LangChain cannot read its message (%s)", memory.id, type(error).__name__)
        return None
