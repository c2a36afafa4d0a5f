"""Messages with a known similarity to the query, for tests of ranking."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, Stub, filter_for_user, packed_embedding, search

VECTOR, TEXT, HYBRID = pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_TEXT, pb.SEARCH_MODE_HYBRID


NOW = 1_790_000_000


def scored_message(
    user: str, content: str, seconds: int = NOW, session: str = "s", x: float = 1.0, y: float = 0.0
) -> Any:
    """Return a message whose cosine similarity to the query is x / |(x, y)|."""
    return pb.StoreRequest(
        user_id=user,
        session_id=session,
        role=memory_pb2.ROLE_USER,
        content=content,
        timestamp=Timestamp(seconds=seconds),
        embedding=packed_embedding(x, y),
    )


def search_request(user: str, text: str = "", **options: Any) -> pb.SearchRequest:
    embedding = b"" if options.get("mode") == TEXT else packed_embedding(1.0)
    where = options.pop("filter", filter_for_user(user))
    return pb.SearchRequest(query_text=text, query_embedding=embedding, filter=where, **options)


async def store_messages(stub: Stub, *turns: pb.StoreRequest) -> list[str]:
    response = await stub.BatchStore(pb.BatchStoreRequest(memories=turns), timeout=TIMEOUT)
    return [one.stored.id for one in response.results]


async def contents(stub: Stub, request: pb.SearchRequest) -> list[str]:
    hits, _ = await search(stub, request)
    return [hit.memory.content for hit in hits]
