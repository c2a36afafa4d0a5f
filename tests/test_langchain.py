"""The retriever and the history for LangChain, by LangChain's own tests and in a chain."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_tests.integration_tests import RetrieversIntegrationTests
from semantic_memory import MemoryClient
from semantic_memory.langchain import SemanticMemoryChatMessageHistory, SemanticMemoryRetriever
from semantic_memory.v1.memory_service_pb2 import EnsureIndexRequest

from memory_service.engine import Connections
from tests.serving import serving


@pytest.fixture(scope="module")
def client(valkey_url: str, raw: Connections) -> Iterator[MemoryClient]:  # noqa: ARG001 - raw cleans up last
    """A client of a server in a process of its own: LangChain's own tests are sync, and would block ours."""
    with (
        serving(MEMORY_VALKEY_URL=valkey_url, MEMORY_INDEX=f"test_{uuid.uuid4().hex[:12]}") as served,
        MemoryClient(served.address) as client,
    ):
        client.ensure_index(EnsureIndexRequest())
        yield client


@pytest.fixture
def history(client: MemoryClient, user: str) -> SemanticMemoryChatMessageHistory:
    return SemanticMemoryChatMessageHistory(client, user_id=user, session_id="s1")


MESSAGES = [
    SystemMessage("Be brief"),
    HumanMessage("When do we ship? 🚢"),
    AIMessage("", tool_calls=[{"name": "calendar", "args": {"day": "Friday"}, "id": "1"}]),
    ToolMessage("On Fridays", tool_call_id="1"),
    AIMessage([{"type": "text", "text": "On Fridays"}]),
]


async def test_a_history_keeps_messages_whole_and_in_order(history: SemanticMemoryChatMessageHistory) -> None:
    await history.aadd_messages(MESSAGES * 30)
    await history.aadd_messages([HumanMessage("x" * 60_000)])
    assert await history.aget_messages() == [*MESSAGES * 30, HumanMessage("x" * 60_000)]


async def test_clear_removes_one_session(
    history: SemanticMemoryChatMessageHistory, client: MemoryClient, user: str
) -> None:
    other = SemanticMemoryChatMessageHistory(client, user_id=user, session_id="s2")
    await history.aadd_messages(MESSAGES)
    await other.aadd_messages(MESSAGES[:2])
    await history.aclear()
    assert await history.aget_messages() == []
    assert await other.aget_messages() == MESSAGES[:2]


@pytest.mark.filterwarnings("ignore:.*RunnableWithMessageHistory")
async def test_a_chain_sees_its_history(history: SemanticMemoryChatMessageHistory) -> None:
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])
    chain = RunnableWithMessageHistory(
        prompt | FakeListChatModel(responses=["one", "two"]),
        lambda _: history,
        input_messages_key="question",
        history_messages_key="history",
    )
    config: Any = {"configurable": {"session_id": "s1"}}
    await chain.ainvoke({"question": "first"}, config)
    await chain.ainvoke({"question": "second"}, config)
    assert [message.content for message in await history.aget_messages()] == ["first", "one", "second", "two"]


async def test_what_was_said_in_a_session_is_retrieved_in_another(
    history: SemanticMemoryChatMessageHistory, client: MemoryClient, user: str
) -> None:
    await history.aadd_messages([HumanMessage("We ship on Fridays"), HumanMessage("My cat is called Miso")])
    retriever = SemanticMemoryRetriever(client=client, user_id=user, k=1)
    [document] = await retriever.ainvoke("When do we release?")
    assert document.page_content == "We ship on Fridays"
    assert document.metadata["session_id"] == "s1"
    assert document.metadata["role"] == "user"
    assert await SemanticMemoryRetriever(client=client, user_id=user, min_score=0.99).ainvoke("Tea?") == []


class TestRetrieverByLangChain(RetrieversIntegrationTests):
    """LangChain's standard tests of a retriever."""

    @pytest.fixture(autouse=True)
    def _filled(self, client: MemoryClient, user: str) -> None:
        self._params = {"client": client, "user_id": user}
        history = SemanticMemoryChatMessageHistory(client, user_id=user, session_id="s")
        history.add_messages([HumanMessage(f"fact {number}") for number in range(10)])

    @property
    def retriever_constructor(self) -> type[SemanticMemoryRetriever]:
        return SemanticMemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return self._params

    @property
    def retriever_query_example(self) -> str:
        return "fact 3"
