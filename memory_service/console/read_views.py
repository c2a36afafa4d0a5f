"""The pages that look: the overview, a search as its hits stream in, a session in order, one memory, the map."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import grpc
import numpy as np
from grpc_health.v1 import health_pb2
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from memory_service.cli.options import parse_time
from memory_service.console.forms import Form, FormError, filter_of, search_request
from memory_service.console.pages import Api, api_of, form_of, link, page, problem_of, render
from memory_service.console.projection import flatten

SECONDS = 30.0
MOST_ON_THE_MAP = 2000

_SERVICE = "semantic_memory.v1.MemoryService"
_HEALTH_SECONDS = 5.0
_TURNS = 20
_COLOURS = 8
_GAP = "<!-- hits -->"
"""Where in its page a search's hits come; what people write has no such tag, since it is escaped."""


async def overview(request: Request) -> Response:
    """Health and indexes at a glance."""
    api = api_of(request)
    health, indexes, problem = "", [], None
    try:
        asked = health_pb2.HealthCheckRequest(service=_SERVICE)
        checked = await api.health.Check(asked, timeout=_HEALTH_SECONDS)
        health = health_pb2.HealthCheckResponse.ServingStatus.Name(checked.status)
        answer = await api.memories.ListIndexes(pb.ListIndexesRequest(), timeout=SECONDS)
        indexes = list(answer.indexes)
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error)
    return page(request, "overview.html", form_of(request), health=health, indexes=indexes, problem=problem)


async def search(request: Request) -> Response:
    """The form, and below it the hits as they come."""
    form, problem, asked = form_of(request), None, None
    try:
        asked = search_request(form) if "q" in form else None
    except FormError as error:
        problem = problem_of(error)
    html = render(request, "search.html", form, problem=problem, asked=asked)
    status = problem.status if problem else 200
    return StreamingResponse(_with_hits(request, html, asked), status, media_type="text/html")


async def _with_hits(request: Request, html: str, asked: pb.SearchRequest | None) -> AsyncIterator[str]:
    before, _, after = html.partition(_GAP)
    yield before
    if asked is not None:
        form, best, count = form_of(request), 0.0, 0
        try:
            async for chunk in api_of(request).memories.Search(asked, timeout=SECONDS):
                best = best or max((hit.rank_score for hit in chunk.hits), default=0.0)
                yield render(request, "hits.html", form, chunk=chunk, asked=asked, best=best, count=count)
                count += len(chunk.hits)
        except grpc.aio.AioRpcError as error:
            yield render(request, "problem.html", form, problem=problem_of(error))
    yield after


async def read(request: Request) -> Response:
    """A user's memories in the order of time, of one session or of all; around a time when one is given."""
    form = form_of(request)
    if "user" not in form:
        return page(request, "read.html", form, turns=[], earlier="", later="")
    at = form.read("at", parse_time)
    sessions = [form.text("session")] if "session" in form else []
    where = form.built(memory_pb2.MemoryFilter, user_id=form.text("user"), session_ids=sessions)
    asked = pb.ListRequest(index=form.word("index"), filter=where, page_size=_TURNS)
    # A page token goes on in one direction; a time alone has both sides.
    before, after = pb.ListResponse(), pb.ListResponse()
    memories = api_of(request).memories
    if at is not None and "later" not in form:
        behind = pb.ListRequest(order=pb.LIST_ORDER_NEWEST_FIRST, page_token=form.word("earlier"))
        behind.MergeFrom(asked)
        behind.filter.end_time.CopyFrom(at)
        before = await memories.List(behind, timeout=SECONDS)
    if "earlier" not in form:
        ahead = pb.ListRequest(page_token=form.word("later"))
        ahead.MergeFrom(asked)
        if at is not None:
            ahead.filter.start_time.CopyFrom(at)
        after = await memories.List(ahead, timeout=SECONDS)
    turns = [*reversed(before.memories), *after.memories]
    return page(
        request,
        "read.html",
        form,
        turns=turns,
        earlier=_further(form, "earlier", before.next_page_token, turns[0] if turns and "later" in form else None),
        later=_further(form, "later", after.next_page_token, turns[-1] if turns and "earlier" in form else None),
    )


def _further(form: Form, way: str, page_token: str, edge: memory_pb2.Memory | None) -> str:
    """The address of the turns before or after: by the page token of that way, or around the edge of a page that was
    reached by the other way's."""
    kept = {name: form.text(name) for name in ("index", "user", "session")}
    if page_token:
        return link("/read", **kept, at=form.word("at"), **{way: page_token})
    return link("/read", **kept, at=edge.timestamp.ToJsonString()) if edge else ""


async def memory(request: Request) -> Response:
    """Everything about one memory."""
    form = form_of(request)
    return page(request, "memory.html", form, memory=await fetched(api_of(request), form))


async def fetched(api: Api, form: Form) -> memory_pb2.Memory:
    """The memory that a page is about."""
    asked = pb.GetRequest(index=form.word("index"), user_id=form.text("user"), id=form.text("id"))
    return (await api.memories.Get(asked, timeout=SECONDS)).memory


async def map_(request: Request) -> Response:
    """A user's newest memories, near each other where they mean alike."""
    form, problem, found = form_of(request), None, []
    if "user" in form:
        try:
            found = await _newest(api_of(request), form)
        except (grpc.aio.AioRpcError, FormError) as error:
            problem = problem_of(error)
    embeddings = np.array([np.frombuffer(one.embedding, "<f4") for one in found], np.float32)
    points, share = await asyncio.to_thread(flatten, embeddings) if found else (embeddings, 0.0)
    sessions = Counter(one.session_id for one in found).most_common()
    colours = {name: min(place, _COLOURS) for place, (name, _) in enumerate(sessions)}
    return page(
        request,
        "map.html",
        form,
        status=problem.status if problem else 200,
        points=list(zip(found, points, strict=True)),
        share=share,
        sessions=sessions,
        colours=colours,
        most=MOST_ON_THE_MAP,
        problem=problem,
    )


async def _newest(api: Api, form: Form) -> list[memory_pb2.Memory]:
    found: list[memory_pb2.Memory] = []
    asked = pb.ListRequest(
        index=form.word("index"), filter=filter_of(form), order=pb.LIST_ORDER_NEWEST_FIRST, include_embeddings=True
    )
    while len(found) < MOST_ON_THE_MAP:
        asked.page_size = min(1000, MOST_ON_THE_MAP - len(found))
        answer = await api.memories.List(asked, timeout=SECONDS)
        found += answer.memories
        asked.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    return found
