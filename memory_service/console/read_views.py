"""Read-only pages: the overview, memories in order, and a single memory."""

import grpc
from grpc_health.v1 import health_pb2
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from memory_service.cli.options import parse_time
from memory_service.console.forms import Form
from memory_service.console.pages import RPC_TIMEOUT, Api, api_of, form_of, link, page
from memory_service.console.problems import problem_of

_SERVICE = "semantic_memory.v1.MemoryService"
_HEALTH_TIMEOUT = 5.0
_PAGE_SIZE = 20


async def overview(request: Request) -> Response:
    """Show the health of the service and its indexes."""
    api = api_of(request)
    health, indexes, problem = "", [], None
    try:
        check = health_pb2.HealthCheckRequest(service=_SERVICE)
        response = await api.health.Check(check, timeout=_HEALTH_TIMEOUT)
        health = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        indexes = list((await api.memories.ListIndexes(pb.ListIndexesRequest(), timeout=RPC_TIMEOUT)).indexes)
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error)
    return page(request, "overview.html", form_of(request), health=health, indexes=indexes, problem=problem)


async def read(request: Request) -> Response:
    """Show a user's memories in order of time, of one session or of all. With a time, start around it."""
    form = form_of(request)
    if "user" not in form:
        return page(request, "read.html", form, memories=[], earlier="", later="")
    at = form.read("at", parse_time)
    sessions = [form.text("session")] if "session" in form else []
    scope = form.build(memory_pb2.MemoryFilter, user_id=form.text("user"), session_ids=sessions)
    query = pb.ListRequest(index=form.word("index"), filter=scope, page_size=_PAGE_SIZE)
    # A page token continues in one direction. A time alone needs the memories on both sides.
    before, after = pb.ListResponse(), pb.ListResponse()
    stub = api_of(request).memories
    if at is not None and "later" not in form:
        backward = pb.ListRequest(order=pb.LIST_ORDER_NEWEST_FIRST, page_token=form.word("earlier"))
        backward.MergeFrom(query)
        backward.filter.end_time.CopyFrom(at)
        before = await stub.List(backward, timeout=RPC_TIMEOUT)
    if "earlier" not in form:
        forward = pb.ListRequest(page_token=form.word("later"))
        forward.MergeFrom(query)
        if at is not None:
            forward.filter.start_time.CopyFrom(at)
        after = await stub.List(forward, timeout=RPC_TIMEOUT)
    memories = [*reversed(before.memories), *after.memories]
    first = memories[0] if memories and "later" in form else None
    last = memories[-1] if memories and "earlier" in form else None
    return page(
        request,
        "read.html",
        form,
        memories=memories,
        earlier=_page_link(form, "earlier", before.next_page_token, first),
        later=_page_link(form, "later", after.next_page_token, last),
    )


def _page_link(form: Form, direction: str, page_token: str, edge: memory_pb2.Memory | None) -> str:
    """The address of the next page in a direction: by its page token, or around the edge of the present page if the
    present page was reached from the other direction."""
    scope = {name: form.text(name) for name in ("index", "user", "session")}
    if page_token:
        return link("/read", **scope, at=form.word("at"), **{direction: page_token})
    return link("/read", **scope, at=edge.timestamp.ToJsonString()) if edge else ""


async def memory(request: Request) -> Response:
    """Show all fields of one memory."""
    form = form_of(request)
    return page(request, "memory.html", form, memory=await get_memory(api_of(request), form))


async def get_memory(api: Api, form: Form) -> memory_pb2.Memory:
    """Fetch the memory that the form names."""
    query = pb.GetRequest(index=form.word("index"), user_id=form.text("user"), id=form.text("id"))
    return (await api.memories.Get(query, timeout=RPC_TIMEOUT)).memory
