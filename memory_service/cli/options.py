"""Options that commands share, and the syntax of their times, durations and filters."""

import functools
import inspect
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2

from memory_service.addresses import parse_host_port, parse_target

_PORT = 50_051
SERVER = f"127.0.0.1:{_PORT}"

UINT32 = 2**32 - 1
"""The largest value of an integer field."""

_LONGEST_TIMEOUT = 1_000_000
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> Duration:
    """Parse a duration such as 90s, 15m, 24h or 30d."""
    written = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if written is None:
        raise typer.BadParameter(f"{text!r} is not a duration: use a form such as 90s, 15m, 24h or 30d")
    return Duration(seconds=int(written[1]) * _SECONDS[written[2]])


def parse_time(text: str) -> Timestamp:
    """Parse a time in ISO 8601; it is in UTC unless it has another offset."""
    timestamp = Timestamp()
    try:
        time = datetime.fromisoformat(text)
        timestamp.FromDatetime(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a time: use a form such as 2026-01-31 or 2026-01-31T23:59:59"
        ) from error
    return timestamp


def parse_timeout(text: str) -> float:
    """Parse a timeout in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise typer.BadParameter(f"{text!r} is not a timeout: use seconds, up to {_LONGEST_TIMEOUT:,}")
    return seconds


def parse_address(text: str) -> str:
    """Parse the address of a server. Without a port, gRPC would use 443."""
    try:
        return parse_target(text)
    except ValueError as error:
        try:
            example = str(parse_host_port(text, default_port=_PORT))
        except ValueError:
            example = SERVER
        raise typer.BadParameter(f"{error}; for example {example}") from error


# The domain has these enums too, but it imports numpy, which takes a third of the start time of a command.
class Role(StrEnum):
    """The author of a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class Algorithm(StrEnum):
    """A vector index type."""

    HNSW = "HNSW"
    FLAT = "FLAT"


class Layout(StrEnum):
    """The type of the keys that hold memories."""

    JSON = "JSON"
    HASH = "HASH"


Address = Annotated[
    str,
    typer.Option(parser=parse_address, envvar="MEMORY_ADDRESS", metavar="HOST:PORT", help="The address of the server."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Timeout = Annotated[
    float, typer.Option(parser=parse_timeout, metavar="SECONDS", help="Timeout of each call, in seconds.")
]
Index = Annotated[str, typer.Option(help="The index; by default the server's default index.")]
User = Annotated[str, typer.Option("--user", "-u", help="The user who owns the memories.")]
AllUsers = Annotated[bool, typer.Option("--all-users", help="Include the memories of every user.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def _time_option(meaning: str) -> Any:
    example = "2026-01-31 or 2026-01-31T23:59:59, in UTC by default"
    return typer.Option(parser=parse_time, metavar="TIME", help=f"{meaning}: {example}.")


Since = Annotated[Timestamp | None, _time_option("Only from this time on")]
Until = Annotated[Timestamp | None, _time_option("Only before this time")]
At = Annotated[Timestamp | None, _time_option("The time of the message instead of now")]
ExpiresAt = Annotated[Timestamp | None, _time_option("The message expires at this time")]


def memory_filter(
    user: User = "",
    all_users: AllUsers = False,
    session: Annotated[list[str] | None, typer.Option("--session", "-s", help="Only this session; repeatable.")] = None,
    exclude_session: Annotated[list[str] | None, typer.Option(help="Exclude this session; repeatable.")] = None,
    role: Annotated[list[Role] | None, typer.Option(help="Only this role; repeatable.")] = None,
    since: Since = None,
    until: Until = None,
    any_label: Annotated[list[str] | None, typer.Option(help="Any of these labels; repeatable.")] = None,
    all_label: Annotated[list[str] | None, typer.Option(help="All of these labels; repeatable.")] = None,
) -> memory_pb2.MemoryFilter:
    """Build the filter from the options."""
    return memory_pb2.MemoryFilter(
        user_id=user,
        all_users=all_users,
        session_ids=session,
        exclude_session_ids=exclude_session,
        roles=[f"ROLE_{name.upper()}" for name in role or []],
        start_time=since,
        end_time=until,
        any_labels=any_label,
        all_labels=all_label,
    )


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `where` of a command by the options of `memory_filter`."""
    options = inspect.signature(memory_filter).parameters
    accepted = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(command).parameters.values()
        for option in (options.values() if parameter.name == "where" else [parameter])
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        where = memory_filter(**{name: given.pop(name) for name in options})
        command(where=where, **given)

    run.__signature__ = inspect.Signature(accepted)  # type: ignore[attr-defined]
    return run
