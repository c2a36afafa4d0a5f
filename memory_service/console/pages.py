"""What pages are made of: templates, and how times, scores and errors read in them."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2_grpc
from jinja2 import Environment, PackageLoader, StrictUndefined
from semantic_memory.v1 import index_pb2, memory_pb2
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse

from memory_service.cli.client import Stub, told
from memory_service.cli.output import in_words
from memory_service.console.forms import MODES, ROLES, Form, FormError

STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""Statuses of HTTP; what is not here is the console's own trouble with the service: 502."""

_INPUTS = {
    "content": "content",
    "context": "before",
    "filter.all_labels": "all_label",
    "filter.any_labels": "any_label",
    "filter.end_time": "until",
    "filter.exclude_session_ids": "exclude_session",
    "filter.roles": "role",
    "filter.session_ids": "session",
    "filter.start_time": "since",
    "filter.user_id": "user",
    "filter": "user",
    "labels": "label",
    "neighbor_weight": "neighbors",
    "query_text": "q",
    "session_id": "session",
    "timestamp": "at",
    "user_id": "user",
}
"""Which input of a page a field of a request comes from, where they have different names."""


@dataclass(frozen=True, slots=True)
class Api:
    """The service, as the pages call it."""

    address: str
    memories: Stub
    health: health_pb2_grpc.HealthStub
    with_key: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong: in words, and by the inputs of the page that it is about."""

    title: str
    lines: list[tuple[str, str, str]]
    """What, why, and the input of the page, which may be none."""
    status: int


def problem_of(error: grpc.aio.AioRpcError | FormError) -> Problem:
    """An error as the page tells it."""
    if isinstance(error, FormError):
        return Problem("Some fields cannot be read", [(name, why, name) for name, why in error.problems], 400)
    (code, details), *rest = told(error)
    if rest and error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        details = "the service cannot take this"  # it says no more than the lines do
    lines = [(what.strip(), why, _input_of(what.strip())) for what, why in rest]
    return Problem(f"{code}: {details}", lines, STATUSES.get(error.code(), 502))


def _input_of(field: str) -> str:
    """`session` for filter.session_ids[3]."""
    path = field.partition("[")[0]
    return _INPUTS.get(path, path.partition(".")[0])


def written(moment: Timestamp) -> str:
    """A time as it is read: to the second, UTC."""
    return moment.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S")


def clipped(text: str, most: int) -> str:
    """The text, or its beginning."""
    return text if len(text) <= most else f"{text[:most].rstrip()} …"


def link(path: str, **query: str) -> str:
    """An address within the console, with what of the query is not empty."""
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def role_name(role: memory_pb2.Role) -> str:
    """`user` for ROLE_USER."""
    return memory_pb2.Role.Name(role).removeprefix("ROLE_").lower()


_templates = Environment(
    loader=PackageLoader("memory_service.console"),
    autoescape=True,  # all text of memories is data
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(link=link, modes=MODES, roles=ROLES)
_templates.filters.update(
    algorithm=lambda one: index_pb2.Algorithm.Name(one).removeprefix("ALGORITHM_"),
    layout=lambda one: index_pb2.Layout.Name(one).removeprefix("LAYOUT_"),
    clipped=clipped,
    in_words=lambda summary, by_words: in_words(summary, by_words=by_words),
    iso=lambda moment: moment.ToJsonString(),
    role=role_name,
    state=lambda one: index_pb2.IndexState.Name(one).removeprefix("INDEX_STATE_").lower(),
    written=written,
)


def form_of(request: Request) -> Form:
    """What the address of the page says."""
    return Form(QueryParams(request.url.query).multi_items())


def api_of(request: Request) -> Api:
    """The service that the pages are about."""
    api: Api = request.state.api
    return api


def render(request: Request, template: str, form: Form, **context: Any) -> str:
    """A page, or a part of one."""
    api = api_of(request)
    return _templates.get_template(template).render(
        api=api,
        form=form,
        # Links keep these: whoever looks at a user goes on looking at the user.
        scope={"index": form.word("index"), "user": form.word("user")},
        path=request.url.path,
        **context,
    )


def page(request: Request, template: str, form: Form, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page as an answer."""
    return HTMLResponse(render(request, template, form, **context), status)
