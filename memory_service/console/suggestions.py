"""Suggestions for the user and session fields, from a user's newest memories.

The API has no list of users or sessions. One page of List gives the users or sessions of the newest
memories, and each answer says how many memories it read."""

import grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from memory_service.console.pages import RPC_TIMEOUT, api_of, form_of

_PAGE_SIZE = 1000


async def suggestions(request: Request) -> Response:
    """Return the sessions of a user, or the users when no user is given, each once, newest first."""
    form = form_of(request)
    user = form.text("user")
    scope = memory_pb2.MemoryFilter(user_id=user) if user else memory_pb2.MemoryFilter(all_users=True)
    query = pb.ListRequest(
        index=form.word("index"), filter=scope, order=pb.LIST_ORDER_NEWEST_FIRST, page_size=_PAGE_SIZE
    )
    what = "sessions" if user else "users"
    try:
        response = await api_of(request).memories.List(query, timeout=RPC_TIMEOUT)
    except grpc.aio.AioRpcError as error:
        return JSONResponse(
            {"values": [], "note": f"No suggestions: the service does not list {what} ({error.code().name})."}
        )
    names = [memory.session_id if user else memory.user_id for memory in response.memories]
    values = list(dict.fromkeys(filter(None, names)))
    scope_note = f"from the newest {len(names):,} memories" if response.next_page_token else f"all {what}"
    return JSONResponse({"values": values, "note": f"Suggestions: {scope_note}."})
