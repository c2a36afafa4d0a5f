"""Pages that change something: store a memory, delete a memory, log in and out."""

import secrets
from urllib.parse import parse_qsl

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from memory_service.console.forms import Form, FormError
from memory_service.console.pages import RPC_TIMEOUT, api_of, form_of, link, page
from memory_service.console.problems import problem_of
from memory_service.console.read_views import get_memory
from memory_service.console.requests import store_request
from memory_service.console.sessions import COOKIE, Sessions

_MAX_BODY = 2**20
"""Bytes. The longest content takes 600,000 with every character percent-encoded."""


async def store(request: Request) -> Response:
    """Show the form, or store its memory."""
    if request.method == "GET":
        return page(request, "store.html", form_of(request), problem=None, request_id=secrets.token_hex(16))
    form = await _read_form(request)
    try:
        stored = await api_of(request).memories.Store(store_request(form), timeout=RPC_TIMEOUT)
    except (grpc.aio.AioRpcError, FormError) as error:
        problem = problem_of(error)
        request_id = form.word("request_id")
        return page(request, "store.html", form, problem.status, problem=problem, request_id=request_id)
    scope = {name: form.text(name) for name in ("index", "user", "session")}
    outcome = "already" if stored.already_stored else "stored"
    return RedirectResponse(link("/store", **scope, **{outcome: stored.id}), 303)


async def delete(request: Request) -> Response:
    """Ask for confirmation, or delete the memory."""
    form = form_of(request) if request.method == "GET" else await _read_form(request)
    if request.method == "GET":
        return page(request, "delete.html", form, memory=await get_memory(api_of(request), form))
    command = pb.DeleteRequest(index=form.word("index"), user_id=form.text("user"), ids=[form.text("id")])
    response = await api_of(request).memories.Delete(command, timeout=RPC_TIMEOUT)
    scope = {name: form.text(name) for name in ("index", "user", "session", "at")}
    return RedirectResponse(link("/read", **scope, done="deleted" if response.deleted_ids else "missing"), 303)


async def login(request: Request) -> Response:
    """Ask for the key, or check it and start a session."""
    sessions: Sessions | None = request.state.sessions
    if sessions is None:
        return RedirectResponse("/", 303)
    if request.method == "GET":
        return page(request, "login.html", form_of(request), wrong=False)
    form = await _read_form(request)
    if await sessions.check_key(form.text("key")):
        target = form.text("next")
        # Only a page of the console: an address that starts with two slashes names another host.
        is_local = target.startswith("/") and not target.startswith("//")
        return sessions.start(RedirectResponse(target if is_local else "/", 303), request)
    return page(request, "login.html", form, 403, wrong=True)


async def logout(request: Request) -> Response:
    """End the session."""
    sessions: Sessions | None = request.state.sessions
    if sessions is not None:
        sessions.end(request.cookies.get(COOKIE, ""))
    return RedirectResponse("/login", 303)


async def _read_form(request: Request) -> Form:
    """Read the form in the request body."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise HTTPException(413, "The form is too large: the content of a memory has a limit of 50,000 characters.")
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise HTTPException(400, "The request body is not a valid form.") from error
