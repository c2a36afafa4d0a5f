"""The map page: a user's newest memories, placed and coloured by similarity."""

import asyncio

import grpc
import numpy as np
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from memory_service.console.forms import Form, FormError
from memory_service.console.grouping import KINDS, group_memories
from memory_service.console.pages import RPC_TIMEOUT, Api, api_of, form_of, link_with, page
from memory_service.console.problems import problem_of
from memory_service.console.projection import project
from memory_service.console.requests import filter_of

MAP_LIMIT = 2000
"""Memories on one map."""


async def map_(request: Request) -> Response:
    """Show the map, or the form alone when no user is given."""
    form, problem, page_token = form_of(request), None, ""
    memories: list[memory_pb2.Memory] = []
    if "user" in form:
        try:
            memories, page_token = await _newest(api_of(request), form)
        except (grpc.aio.AioRpcError, FormError) as error:
            problem = problem_of(error)
    kind = form.word("colour", KINDS[0])
    kind = kind if kind in KINDS else KINDS[0]
    projection, groups = None, []
    if memories:
        embeddings = np.array([np.frombuffer(memory.embedding, "<f4") for memory in memories], np.float32)
        projection = await asyncio.to_thread(project, embeddings)
        groups = await asyncio.to_thread(group_memories, kind, memories, projection.components)
    return page(
        request,
        "map.html",
        form,
        status=problem.status if problem else 200,
        memories=memories,
        projection=projection,
        groups=groups,
        kind=kind,
        older=link_with("/map", form, older=page_token) if page_token else "",
        problem=problem,
    )


async def _newest(api: Api, form: Form) -> tuple[list[memory_pb2.Memory], str]:
    """The newest memories, or those older than a page token, and the token of the next older ones."""
    memories: list[memory_pb2.Memory] = []
    request = pb.ListRequest(
        index=form.word("index"),
        filter=filter_of(form),
        order=pb.LIST_ORDER_NEWEST_FIRST,
        include_embeddings=True,
        page_token=form.word("older"),
    )
    while len(memories) < MAP_LIMIT:
        request.page_size = min(1000, MAP_LIMIT - len(memories))
        response = await api.memories.List(request, timeout=RPC_TIMEOUT)
        memories += response.memories
        request.page_token = response.next_page_token
        if not response.next_page_token:
            break
    return memories, request.page_token
