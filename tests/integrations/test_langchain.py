"""The LangChain retriever and chat history, with LangChain's own tests and in a chain."""

import asyncio
import json
import uuid
from itertools import pairwise
from typing import Any

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_tests.integration_tests import RetrieversIntegrationTests
from semantic_memory import AsyncMemoryClient, MemoryClient, MemoryServiceError
from semantic_memory.langchain import SemanticMemoryChatMessageHistory, SemanticMemoryRetriever
from semantic_memory.langgraph import SemanticMemoryStore
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_USER

from tests.support.api import filter_for_user
from tests.support.scale import examples

pytestmark = pytest.mark.slow


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


async def test_a_history_returns_messages_unchanged_in_order(history: SemanticMemoryChatMessageHistory) -> None:
    await history.aadd_messages(MESSAGES * 30)
    await history.aadd_messages([HumanMessage("x" * 60_000)])
    assert await history.aget_messages() == [*MESSAGES * 30, HumanMessage("x" * 60_000)]


async def store_by_other_software(client: MemoryClient, user: str, metadata: dict[str, str]) -> None:
    request = pb.StoreRequest(
        user_id=user, session_id="s1", role=ROLE_USER, content="by other software", metadata=metadata
    )
    await asyncio.to_thread(client.store, request)


json_texts = st.recursive(
    st.none() | st.integers() | st.text(max_size=10) | st.sampled_from(["human", "ai", "tool", "system"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "data", "content", "tool_calls", "additional_kwargs", "id", "x"]),
            inner,
            max_size=5,
        )
    ),
).map(json.dumps) | st.text(max_size=10)


@examples(20)
@given(st.lists(st.dictionaries(st.sampled_from(["json.00", "json.01", "json", "note"]), json_texts), max_size=4))
@example([{}, {"json.00": '{"type": "human", "data": {}}'}, {"json.00": '{"type": "ai", "data": {"content": 1}}'}])
@example([{"json.00": '{"type": "ai", "data": {"content": "", "additional_kwargs": 1}}'}, {"json.00": "[" * 4000}])
async def test_memories_of_other_software_in_the_session_are_neither_shown_nor_cleared(
    client: MemoryClient, others: list[dict[str, str]]
) -> None:
    user = uuid.uuid4().hex
    history = SemanticMemoryChatMessageHistory(client, user_id=user, session_id="s1")
    await history.aadd_messages(MESSAGES[:2])
    for metadata in others:
        await store_by_other_software(client, user, metadata)
    await history.aadd_messages(MESSAGES[2:])
    assert await history.aget_messages() == MESSAGES
    await history.aclear()
    assert await history.aget_messages() == []
    left = (await asyncio.to_thread(client.list, pb.ListRequest(filter=filter_for_user(user)))).memories
    shaped_as_messages = sum('"data"' in metadata.get("json.00", "") for metadata in others)
    assert len(left) >= len(others) - shaped_as_messages
    assert {one.content for one in left} <= {"by other software"}


BAD_MESSAGES = {
    "too large": HumanMessage([{"type": "image_url", "image_url": {"url": "x" * 200_000}}]),
    "lone surrogate": HumanMessage("a\ud83d"),
}


@pytest.mark.parametrize("reason", BAD_MESSAGES)
async def test_a_refused_message_stores_none_of_its_batch(
    history: SemanticMemoryChatMessageHistory, reason: str
) -> None:
    with pytest.raises(ValueError, match=r"surrogate|bytes as JSON"):
        await history.aadd_messages([*MESSAGES, BAD_MESSAGES[reason], *MESSAGES])
    assert await history.aget_messages() == []


async def test_long_messages_are_stored_in_several_requests(
    history: SemanticMemoryChatMessageHistory,
) -> None:
    long = [HumanMessage(letter * 30_000) for letter in ("记", "é", "🚢", "x")] * 20
    await history.aadd_messages([*long, HumanMessage("   "), HumanMessage("")])
    assert await history.aget_messages() == [*long, HumanMessage("   "), HumanMessage("")]


async def test_messages_added_one_by_one_or_together_keep_their_order(
    history: SemanticMemoryChatMessageHistory, client: MemoryClient, user: str
) -> None:
    messages = [HumanMessage(str(number)) for number in range(350)]
    await history.aadd_messages(messages[:250])
    for message in messages[250:270]:
        await history.aadd_messages([message])
    await history.aadd_messages(messages[270:])
    assert await history.aget_messages() == messages
    listed = await asyncio.to_thread(client.list, pb.ListRequest(filter=filter_for_user(user), page_size=1000))
    times = [one.timestamp.ToMicroseconds() for one in listed.memories]
    assert all(earlier < later for earlier, later in pairwise(times))


async def test_a_server_error_is_raised_unchanged(
    history: SemanticMemoryChatMessageHistory, client: MemoryClient
) -> None:
    refused = SemanticMemoryChatMessageHistory(client, user_id="u" * 257, session_id="s1")
    with pytest.raises(MemoryServiceError) as raised:
        await refused.aadd_messages(MESSAGES)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.violations[0].field == "user_id"
    assert await history.aget_messages() == []


async def test_an_async_client_is_refused(client: MemoryClient, user: str) -> None:
    async with AsyncMemoryClient("127.0.0.1:1") as wrong:
        for make in (
            lambda: SemanticMemoryStore(wrong, user_id=user),  # type: ignore[arg-type]
            lambda: SemanticMemoryRetriever(client=wrong, user_id=user),
            lambda: SemanticMemoryChatMessageHistory(wrong, user_id=user, session_id="s"),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError, match="needs a MemoryClient, not AsyncMemoryClient"):
                make()
    with pytest.raises(ValueError, match="session_id is empty"):
        SemanticMemoryChatMessageHistory(client, user_id=user, session_id="")


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
async def test_a_chain_uses_its_history(history: SemanticMemoryChatMessageHistory) -> None:
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


async def test_the_retriever_finds_messages_of_another_session(
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
    def _store_facts(self, client: MemoryClient, user: str) -> None:
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
