"""The options that commands share, and how times, durations and filters are written."""

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

from memory_service.addresses import parse_target

SERVER = "127.0.0.1:50051"

UINT32 = 2**32 - 1
"""The largest number that a field of the contract takes."""

_LONGEST_TIMEOUT = 1_000_000
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> Duration:
    """The duration that is written as 90s, 15m, 24h or 30d."""
    written = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if written is None:
        raise typer.BadParameter(f"{text!r} is no duration: write it as 90s, 15m, 24h or 30d")
    return Duration(seconds=int(written[1]) * _SECONDS[written[2]])


def parse_time(text: str) -> Timestamp:
    """The time that is written as ISO 8601 has it; in UTC where it names no other offset."""
    timestamp = Timestamp()
    try:
        moment = datetime.fromisoformat(text)
        timestamp.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no time: write it as 2026-01-31 or 2026-01-31T23:59:59") from error
    return timestamp


def parse_timeout(text: str) -> float:
    """Seconds to wait."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise typer.BadParameter(f"{text!r} is no time to wait: give seconds, up to {_LONGEST_TIMEOUT:,}")
    return seconds


def parse_address(text: str) -> str:
    """The address of a server."""
    try:
        return parse_target(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; for example {SERVER}") from error


# The domain has such enums too, but importing it brings numpy: a third of the time in which a command starts.
class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class Algorithm(StrEnum):
    """A way to find the nearest embeddings."""

    HNSW = "HNSW"
    FLAT = "FLAT"


class Layout(StrEnum):
    """How memories lie in the engine."""

    JSON = "JSON"
    HASH = "HASH"


Address = Annotated[
    str,
    typer.Option(parser=parse_address, envvar="MEMORY_ADDRESS", metavar="HOST:PORT", help="Where the server listens."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Timeout = Annotated[float, typer.Option(parser=parse_timeout, metavar="SECONDS", help="Seconds to wait.")]
Index = Annotated[str, typer.Option(help="The index; the server's default one when left out.")]
User = Annotated[str, typer.Option("--user", "-u", help="The user whose memories these are.")]
AllUsers = Annotated[bool, typer.Option("--all-users", help="Over the memories of every user.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Time = Annotated[Timestamp | None, typer.Option(parser=parse_time, metavar="TIME", help="2026-01-31T23:59:59, UTC.")]


def memory_filter(
    user: User = "",
    all_users: AllUsers = False,
    session: Annotated[list[str] | None, typer.Option("--session", "-s", help="Only this session; repeatable.")] = None,
    exclude_session: Annotated[list[str] | None, typer.Option(help="Not this session; repeatable.")] = None,
    role: Annotated[list[Role] | None, typer.Option(help="Only this role; repeatable.")] = None,
    since: Time = None,
    until: Time = None,
    any_label: Annotated[list[str] | None, typer.Option(help="Any of these labels; repeatable.")] = None,
    all_label: Annotated[list[str] | None, typer.Option(help="All of these labels; repeatable.")] = None,
) -> memory_pb2.MemoryFilter:
    """The filter that these options say."""
    return memory_pb2.MemoryFilter(
        user_id=user,
        all_users=all_users,
        session_ids=session,
        exclude_session_ids=exclude_session,
        roles=[f"ROLE_{one.upper()}" for one in role or []],
        start_time=since,
        end_time=until,
        any_labels=any_label,
        all_labels=all_label,
    )


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `memory_filter` in place of its parameter `where`."""
    options = inspect.signature(memory_filter).parameters
    accepted = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for one in inspect.signature(command).parameters.values()
        for each in (options.values() if one.name == "where" else [one])
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        where = memory_filter(**{name: given.pop(name) for name in options})
        command(where=where, **given)

    run.__signature__ = inspect.Signature(accepted)  # type: ignore[attr-defined]
    return run
