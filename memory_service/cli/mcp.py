"""The command `mcp`: the memories of a user as three tools of the Model Context Protocol."""

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
    "A memory that lasts across sessions and is searched by meaning. Recall before you answer a question that may "
    "depend on earlier conversations. Remember facts, preferences and decisions, one per memory. Forget what the user "
    "retracts."
)


class RecallResult(BaseModel):
    """One memory that matches."""

    id: str
    content: str
    role: str
    session: str
    time: datetime
    score: float = Field(description="Cosine similarity to the query, -1 to 1.")


class ForgetResult(BaseModel):
    """The result for each id."""

    deleted: list[str]
    missing: list[str]


def memory_tools(connect: Callable[[], AsyncMemoryClient], user: str, session: str) -> MCPServer[AsyncMemoryClient]:
    """Return a server with tools for the memories of `user`; it stores new ones in `session`."""

    @asynccontextmanager
    async def connection(_: object) -> AsyncIterator[AsyncMemoryClient]:
        async with connect() as client:
            yield client

    server = MCPServer("semantic-memory", instructions=INSTRUCTIONS, lifespan=connection, log_level="WARNING")

    @server.tool(annotations=ToolAnnotations(destructive_hint=False))
    async def remember(
        context: Context[AsyncMemoryClient],
        content: Annotated[str, Field(description="The text to remember. It must be understandable without context.")],
        role: Annotated[Role, Field(description="The author.")] = Role.USER,
    ) -> str:
        """Store one memory; return its id."""
        with server_errors():
            request = pb.StoreRequest(user_id=user, session_id=session, role=f"ROLE_{role.upper()}", content=content)
            return (await memories(context).store(request)).id

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def recall(
        context: Context[AsyncMemoryClient],
        query: Annotated[str, Field(description="The text to search for.")],
        k: Annotated[int, Field(ge=1, le=100, description="The maximum number of memories.")] = 5,
    ) -> list[RecallResult]:
        """Search the messages of all sessions by meaning, best first."""
        with server_errors():
            request = pb.SearchRequest(query_text=query, filter=memory_pb2.MemoryFilter(user_id=user), k=k)
            return [_recall_result(hit) async for hit in memories(context).search(request)]

    @server.tool(annotations=ToolAnnotations(destructive_hint=True, idempotent_hint=True))
    async def forget(
        context: Context[AsyncMemoryClient],
        ids: Annotated[list[str], Field(description="The ids of memories, from recall.")],
    ) -> ForgetResult:
        """Delete memories permanently."""
        with server_errors():
            done = await memories(context).delete(pb.DeleteRequest(user_id=user, ids=ids))
            return ForgetResult(deleted=list(done.deleted_ids), missing=list(done.missing_ids))

    return server


def memories(context: Context[AsyncMemoryClient]) -> AsyncMemoryClient:
    """Return the client that the tools share."""
    return context.request_context.lifespan_context


@contextmanager
def server_errors() -> Iterator[None]:
    """Show errors of the server to the model; the texts of other exceptions stay here."""
    try:
        yield
    except MemoryServiceError as error:
        raise ToolError(str(error)) from error


def _recall_result(hit: pb.Hit) -> RecallResult:
    memory = hit.memory
    return RecallResult(
        id=memory.id,
        content=memory.content,
        role=memory_pb2.Role.Name(memory.role).removeprefix("ROLE_").lower(),
        session=memory.session_id,
        time=memory.timestamp.ToDatetime(UTC),
        score=hit.score,
    )
