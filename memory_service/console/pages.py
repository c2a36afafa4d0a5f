"""Page rendering: templates, links, and the text of times and errors."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2_grpc
from jinja2 import Environment, PackageLoader, StrictUndefined
from semantic_memory.v1 import index_pb2, memory_pb2
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse

from memory_service.cli.client import Stub, told
from memory_service.cli.options import parse_time
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
"""HTTP status for each gRPC status. All others become 502."""

RPC_TIMEOUT = 30.0

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
"""The form input for a request field, where their names differ."""


@dataclass(frozen=True, slots=True)
class Api:
    """Stubs of the service that the pages call."""

    address: str
    memories: Stub
    health: health_pb2_grpc.HealthStub
    with_key: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """An error to show on a page."""

    title: str
    lines: list[tuple[str, str, str]]
    """For each violation: the field, the message, and the form input, which may be empty."""
    status: int


def problem_of(error: grpc.aio.AioRpcError | FormError) -> Problem:
    """Convert an error to a Problem."""
    if isinstance(error, FormError):
        return Problem("Some fields are invalid", [(name, message, name) for name, message in error.problems], 400)
    (code, details), *rest = told(error)
    if rest and error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        details = "the service rejected the request"  # its own text only repeats the lines
    lines = [(field.strip(), message, _input_of(field.strip())) for field, message in rest]
    return Problem(f"{code}: {details}", lines, STATUSES.get(error.code(), 502))


def _input_of(field: str) -> str:
    """`session` for filter.session_ids[3]."""
    path = field.partition("[")[0]
    return _INPUTS.get(path, path.partition(".")[0])


def display_time(timestamp: Timestamp) -> str:
    """A time for reading, in UTC, to the second."""
    return timestamp.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S")


def input_time(text: str) -> str:
    """The value of a datetime-local input, in UTC, for a time in any ISO 8601 form. Empty for any other text: the page
    reports that as an error.

    The input holds milliseconds at most, so that shorter fractions are cut off."""
    try:
        moment = parse_time(text).ToDatetime()
    except typer.BadParameter:
        return ""
    precision = "milliseconds" if moment.microsecond >= 1000 else "seconds" if moment.second else "minutes"
    return moment.isoformat(timespec=precision)


def clipped(text: str, limit: int) -> str:
    """The text, shortened to `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()} …"


def link(path: str, **query: str) -> str:
    """An address within the console. Empty parameters are left out."""
    return _address(path, query.items())


def link_with(path: str, form: Form, **changed: str) -> str:
    """An address within the console with the form's fields, some of them changed."""
    return _address(path, [*((name, value) for name, value in form.items() if name not in changed), *changed.items()])


def _address(path: str, query: Iterable[tuple[str, str]]) -> str:
    kept = [(name, value) for name, value in query if value]
    return f"{path}?{urlencode(kept)}" if kept else path


def role_name(role: memory_pb2.Role) -> str:
    """`user` for ROLE_USER."""
    return memory_pb2.Role.Name(role).removeprefix("ROLE_").lower()


_templates = Environment(
    loader=PackageLoader("memory_service.console"),
    autoescape=True,  # text of memories is untrusted
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(link=link, modes=MODES, roles=ROLES)
_templates.filters.update(
    algorithm=lambda one: index_pb2.Algorithm.Name(one).removeprefix("ALGORITHM_"),
    layout=lambda one: index_pb2.Layout.Name(one).removeprefix("LAYOUT_"),
    clipped=clipped,
    input_time=input_time,
    iso=lambda timestamp: timestamp.ToJsonString(),
    role=role_name,
    state=lambda one: index_pb2.IndexState.Name(one).removeprefix("INDEX_STATE_").lower(),
    summary=lambda summary, by_text: in_words(summary, by_words=by_text),
    time=display_time,
)


def form_of(request: Request) -> Form:
    """The query parameters of the page as a form."""
    return Form(QueryParams(request.url.query).multi_items())


def api_of(request: Request) -> Api:
    """The stubs for this request."""
    api: Api = request.state.api
    return api


def render(request: Request, template: str, form: Form, **context: Any) -> str:
    """Render a template."""
    api = api_of(request)
    return _templates.get_template(template).render(
        api=api,
        form=form,
        # Navigation links keep the index and the user.
        scope={"index": form.word("index"), "user": form.word("user")},
        path=request.url.path,
        **context,
    )


def page(request: Request, template: str, form: Form, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template as a response."""
    return HTMLResponse(render(request, template, form, **context), status)
