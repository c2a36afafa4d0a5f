"""The search page, which shows hits as they arrive."""

from collections.abc import AsyncIterator

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from memory_service.console.forms import FormError
from memory_service.console.pages import RPC_TIMEOUT, api_of, form_of, link_with, render
from memory_service.console.problems import problem_of
from memory_service.console.requests import search_request

_HITS_MARK = "<!-- hits -->"
"""The place of the hits in the rendered page. No text of a user contains this tag, since templates escape it."""

_DEFAULT_K = 5
_MAX_K = 1000
_MAX_K_RANKED = 200
"""The limit with neighbor_weight, recency or diversity."""
_MAX_K_CONTEXT = 100
"""The limit with context."""


async def search(request: Request) -> Response:
    """Show the form, and below it the hits as they arrive."""
    form, problem, query = form_of(request), None, None
    try:
        query = search_request(form) if "q" in form else None
    except FormError as error:
        problem = problem_of(error)
    html = render(request, "search.html", form, problem=problem, query=query)
    status = problem.status if problem else 200
    return StreamingResponse(_with_hits(request, html, query), status, media_type="text/html")


async def _with_hits(request: Request, html: str, query: pb.SearchRequest | None) -> AsyncIterator[str]:
    before, _, after = html.partition(_HITS_MARK)
    yield before
    if query is not None:
        form, count = form_of(request), 0
        try:
            async for chunk in api_of(request).memories.Search(query, timeout=RPC_TIMEOUT):
                yield render(request, "hits.html", form, chunk=chunk, query=query, count=count)
                count += len(chunk.hits)
            yield render(request, "more.html", form, **_more(request, query, count))
        except grpc.aio.AioRpcError as error:
            yield render(request, "problem.html", form, problem=problem_of(error))
    yield after


def _more(request: Request, query: pb.SearchRequest, count: int) -> dict[str, object]:
    """The address of the same search with more hits. It is empty when there are no more, or at the limit.

    The API has no page token for searches, so a further page is the same search with a larger k."""
    k = query.k if query.HasField("k") else _DEFAULT_K
    limit = _max_k(query)
    more = min(limit, k + max(k, 10))
    full = count >= k
    address = link_with("/search", form_of(request), k=str(more))
    href = f"{address}#hit-{count + 1}" if full and more > k else ""
    return {"href": href, "more": more, "limit": limit if full and k >= limit else 0}


def _max_k(query: pb.SearchRequest) -> int:
    """The largest k that the API accepts for this query."""
    if query.HasField("context"):
        return _MAX_K_CONTEXT
    ranked = query.HasField("neighbor_weight") or query.HasField("recency") or query.HasField("diversity")
    return _MAX_K_RANKED if ranked else _MAX_K
