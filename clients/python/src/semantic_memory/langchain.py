"""Memory for LangChain: a retriever over all sessions of a user, and the history of one session."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, messages_from_dict, messages_to_dict
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from semantic_memory.client import MemoryClient
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_TOOL, ROLE_USER, Memory, MemoryFilter, Role
from semantic_memory.values import from_metadata, to_metadata

_ROLES = {"human": ROLE_USER, "ai": ROLE_ASSISTANT, "tool": ROLE_TOOL}
_BATCH = 100
_LONGEST_CONTENT = 50_000


class SemanticMemoryRetriever(BaseRetriever):
    """What a user's memories say on a query, best first."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: MemoryClient
    user_id: str
    k: int = 5
    min_score: float | None = None

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
    """The messages of one session. What they say is found by meaning from all other sessions of the user too."""

    def __init__(self, client: MemoryClient, *, user_id: str, session_id: str) -> None:
        self._client = client
        self._user = user_id
        self._session = session_id

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # the base has a field where others have this
        """The messages of the session, oldest first."""
        request = pb.ListRequest(filter=self._filter(), page_size=1000)
        kept: list[Memory] = []
        while True:
            page = self._client.list(request)
            kept += page.memories
            request.page_token = page.next_page_token
            if not request.page_token:
                return messages_from_dict([from_metadata(memory.metadata) for memory in kept])

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Append messages. Raises the first error, after which earlier messages are kept."""
        first = time.time_ns() // 1000  # their times keep their order, a microsecond apart
        stores = [self._store(message, first + number) for number, message in enumerate(messages)]
        for start in range(0, len(stores), _BATCH):
            batch = self._client.batch_store(pb.BatchStoreRequest(memories=stores[start : start + _BATCH]))
            for result in batch.results:
                if result.HasField("error"):
                    raise ValueError(f"a message was not stored: {result.error.message}")

    def clear(self) -> None:
        """Delete the messages of the session."""
        self._client.delete_matching(pb.DeleteMatchingRequest(filter=self._filter()))

    def _store(self, message: BaseMessage, microseconds: int) -> pb.StoreRequest:
        timestamp = Timestamp()
        timestamp.FromMicroseconds(microseconds)
        return pb.StoreRequest(
            user_id=self._user,
            session_id=self._session,
            role=_ROLES.get(message.type, ROLE_SYSTEM),
            # A message of tool calls alone has no text, and a memory must have one.
            content=str(message.text)[:_LONGEST_CONTENT] or message.type,
            timestamp=timestamp,
            metadata=to_metadata(messages_to_dict([message])[0]),
        )

    def _filter(self) -> MemoryFilter:
        return MemoryFilter(user_id=self._user, session_ids=[self._session])
