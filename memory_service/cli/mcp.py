"""`memory-service mcp`: one user's memory as three tools of the Model Context Protocol."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field
from semantic_memory import AsyncMemoryClient, MemoryServiceError
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.options import Role

INSTRUCTIONS = (
    "A memory that lasts across sessions and is searched by meaning. Recall before you answer what may depend on "
    "earlier conversations; remember facts, preferences and decisions, one in each memory; forget what the user takes "
    "back."
)


class Recalled(BaseModel):
    """One memory that was found."""

    id: str
    content: str
    role: str
    session: str
    time: datetime
    score: float = Field(description="Cosine similarity to the query, -1 to 1.")


class Forgotten(BaseModel):
    """What became of each id."""

    deleted: list[str]
    missing: list[str]


def memory_tools(connect: Callable[[], AsyncMemoryClient], user: str, session: str) -> MCPServer[AsyncMemoryClient]:
    """The tools over the memories of `user`; what is remembered goes to `session`."""

    @asynccontextmanager
    async def connection(_: object) -> AsyncIterator[AsyncMemoryClient]:
        async with connect() as client:
            yield client

    server = MCPServer("semantic-memory", instructions=INSTRUCTIONS, lifespan=connection, log_level="WARNING")

    @server.tool(annotations=ToolAnnotations(destructive_hint=False))
    async def remember(
        context: Context[AsyncMemoryClient],
        content: Annotated[str, Field(description="What to remember, in words that stand by themselves.")],
        role: Annotated[Role, Field(description="Who said it.")] = Role.USER,
    ) -> str:
        """Store one memory; gives its id."""
        with errors_in_words():
            request = pb.StoreRequest(user_id=user, session_id=session, role=f"ROLE_{role.upper()}", content=content)
            return (await memories(context).store(request)).id

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def recall(
        context: Context[AsyncMemoryClient],
        query: Annotated[str, Field(description="What to look for, in words.")],
        k: Annotated[int, Field(ge=1, le=100, description="At most so many memories.")] = 5,
    ) -> list[Recalled]:
        """Find what was said in any session, nearest in meaning first."""
        with errors_in_words():
            request = pb.SearchRequest(query_text=query, filter=memory_pb2.MemoryFilter(user_id=user), k=k)
            return [_recalled(hit) async for hit in memories(context).search(request)]

    @server.tool(annotations=ToolAnnotations(destructive_hint=True, idempotent_hint=True))
    async def forget(
        context: Context[AsyncMemoryClient],
        ids: Annotated[list[str], Field(description="The ids of memories, as recall gives them.")],
    ) -> Forgotten:
        """Delete memories for good."""
        with errors_in_words():
            done = await memories(context).delete(pb.DeleteRequest(user_id=user, ids=ids))
            return Forgotten(deleted=list(done.deleted_ids), missing=list(done.missing_ids))

    return server


def memories(context: Context[AsyncMemoryClient]) -> AsyncMemoryClient:
    """The client that the tools share."""
    return context.request_context.lifespan_context


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Let the model read what the server says; the text of other exceptions stays here."""
    try:
        yield
    except MemoryServiceError as error:
        raise ToolError(str(error)) from error


def _recalled(hit: pb.Hit) -> Recalled:
    memory = hit.memory
    return Recalled(
        id=memory.id,
        content=memory.content,
        role=memory_pb2.Role.Name(memory.role).removeprefix("ROLE_").lower(),
        session=memory.session_id,
        time=memory.timestamp.ToDatetime(UTC),
        score=hit.score,
    )
