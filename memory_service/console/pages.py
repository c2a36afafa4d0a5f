"""Page rendering: templates, links and times."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2_grpc
from jinja2 import Environment, PackageLoader, StrictUndefined
from semantic_memory.v1 import index_pb2, memory_pb2
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse

from memory_service.cli.client import Stub
from memory_service.cli.options import parse_time
from memory_service.cli.output import describe_summary
from memory_service.console.forms import Form
from memory_service.console.requests import MODES, ROLES

RPC_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Api:
    """Stubs of the service that the pages call."""

    address: str
    memories: Stub
    health: health_pb2_grpc.HealthStub
    with_key: bool


def display_time(timestamp: Timestamp) -> str:
    """A time in a readable form, in UTC, to the second."""
    return timestamp.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S")


def input_time(text: str) -> str:
    """The value of a datetime-local input, in UTC, for a time in any ISO 8601 form. Empty for any other text: the page
    reports that as an error.

    The input holds at most milliseconds, so finer fractions are cut off."""
    try:
        time = parse_time(text).ToDatetime()
    except typer.BadParameter:
        return ""
    precision = "milliseconds" if time.microsecond >= 1000 else "seconds" if time.second else "minutes"
    return time.isoformat(timespec=precision)


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
    parameters = [(name, value) for name, value in query if value]
    return f"{path}?{urlencode(parameters)}" if parameters else path


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
    summary=lambda summary, by_text: describe_summary(summary, by_words=by_text),
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
