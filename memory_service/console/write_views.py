"""The pages that change something: store one memory, delete one after asking, let somebody in and out."""

import secrets
from urllib.parse import parse_qsl

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from memory_service.console.forms import Form, FormError, store_request
from memory_service.console.guard import COOKIE, Sessions
from memory_service.console.pages import api_of, form_of, link, page, problem_of
from memory_service.console.read_views import SECONDS, fetched

_MOST_BYTES = 2**20  # the longest content, in the widest spelling of forms


async def store(request: Request) -> Response:
    """The form, and what became of it."""
    if request.method == "GET":
        return page(request, "store.html", form_of(request), problem=None, request_id=secrets.token_hex(16))
    form = await _sent(request)
    try:
        stored = await api_of(request).memories.Store(store_request(form), timeout=SECONDS)
    except (grpc.aio.AioRpcError, FormError) as error:
        problem = problem_of(error)
        request_id = form.word("request_id")
        return page(request, "store.html", form, problem.status, problem=problem, request_id=request_id)
    kept = {name: form.text(name) for name in ("index", "user", "session")}
    done = "already" if stored.already_stored else "stored"
    return RedirectResponse(link("/store", **kept, **{done: stored.id}), 303)


async def delete(request: Request) -> Response:
    """Asks, and deletes when the answer is yes."""
    form = form_of(request) if request.method == "GET" else await _sent(request)
    if request.method == "GET":
        return page(request, "delete.html", form, memory=await fetched(api_of(request), form))
    asked = pb.DeleteRequest(index=form.word("index"), user_id=form.text("user"), ids=[form.text("id")])
    answer = await api_of(request).memories.Delete(asked, timeout=SECONDS)
    kept = {name: form.text(name) for name in ("index", "user", "session", "at")}
    return RedirectResponse(link("/read", **kept, done="deleted" if answer.deleted_ids else "missing"), 303)


async def login(request: Request) -> Response:
    """Asks for the key."""
    sessions: Sessions | None = request.state.sessions
    if sessions is None:
        return RedirectResponse("/", 303)
    if request.method == "GET":
        return page(request, "login.html", form_of(request), wrong=False)
    form = await _sent(request)
    if await sessions.opens(form.text("key")):
        wanted = form.text("next")
        # A page of ours: what begins with two slashes is another host.
        within = wanted.startswith("/") and not wanted.startswith("//")
        return sessions.welcome(RedirectResponse(wanted if within else "/", 303), request)
    return page(request, "login.html", form, 403, wrong=True)


async def logout(request: Request) -> Response:
    """Forgets who has shown the key."""
    sessions: Sessions | None = request.state.sessions
    if sessions is not None:
        sessions.end(request.cookies.get(COOKIE, ""))
    return RedirectResponse("/login", 303)


async def _sent(request: Request) -> Form:
    """The fields of the form in the body."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, "This is more than one memory can hold.")
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise HTTPException(400, "This is no form of the console's.") from error
