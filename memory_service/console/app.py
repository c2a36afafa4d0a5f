"""The console's web application: routes, shared state and error pages."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypedDict, cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from memory_service.cli.client import Stub
from memory_service.console import map_view, read_views, search_view, suggestions, write_views
from memory_service.console.forms import FormError
from memory_service.console.guard import Guard
from memory_service.console.pages import Api, form_of, page
from memory_service.console.problems import Problem, problem_of
from memory_service.console.sessions import Sessions

_ROUTES = [
    Route("/", read_views.overview, methods=["GET"]),
    Route("/search", search_view.search, methods=["GET"]),
    Route("/read", read_views.read, methods=["GET"]),
    Route("/memory", read_views.memory, methods=["GET"]),
    Route("/map", map_view.map_, methods=["GET"]),
    Route("/suggestions", suggestions.suggestions, methods=["GET"]),
    Route("/store", write_views.store, methods=["GET", "POST"]),
    Route("/delete", write_views.delete, methods=["GET", "POST"]),
    Route("/login", write_views.login, methods=["GET", "POST"]),
    Route("/logout", write_views.logout, methods=["POST"]),
    Mount("/static", StaticFiles(packages=[("memory_service.console", "static")]), name="static"),
]


class State(TypedDict):
    """State that every request carries."""

    api: Api
    sessions: Sessions | None


def application(address: str, connect: Callable[[str], grpc.aio.Channel], key: str) -> Starlette:
    """Return the console of the service at this address. Without a key it asks for no login."""
    sessions = Sessions(key) if key else None

    @asynccontextmanager
    async def connected(_: Starlette) -> AsyncIterator[State]:
        async with connect(address) as channel:
            memories = cast("Stub", MemoryServiceStub(channel))
            api = Api(address, memories, health_pb2_grpc.HealthStub(channel), with_key=bool(key))
            yield {"api": api, "sessions": sessions}

    handlers: dict[Any, Any] = {
        grpc.aio.AioRpcError: _on_api_error,
        FormError: _on_api_error,
        HTTPException: _on_http_error,
    }
    return Starlette(
        routes=_ROUTES,
        lifespan=connected,
        middleware=[Middleware(Guard, sessions=sessions)],
        exception_handlers=handlers,
    )


async def _on_api_error(request: Request, error: grpc.aio.AioRpcError | FormError) -> Response:
    return _error_page(request, problem_of(error))


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    return _error_page(request, Problem(error.detail, [], error.status_code))


def _error_page(request: Request, problem: Problem) -> Response:
    return page(request, "error.html", form_of(request), problem.status, problem=problem)
