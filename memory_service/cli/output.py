"""What the commands print: tables for people, JSON for scripts (the contract's JSON form)."""

from collections.abc import Iterable

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text
from semantic_memory.v1 import index_pb2, memory_pb2, memory_service_pb2

# Texts of others are printed as they are: rich would take brackets in them for markup.
console = Console(highlight=False, markup=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def print_error(what: str, why: str) -> None:
    """One line on standard error."""
    _errors.print(Text.assemble((what, "bold red"), ": ", why))


def print_json(message: Message) -> None:
    """One message as one line of JSON."""
    typer.echo(json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True))


def print_hit(hit: memory_service_pb2.Hit) -> None:
    """One hit on a line: score, session, who, and the text."""
    line = Text(f"{hit.score:+.3f}  ", style="bold green" if hit.score >= 0.15 else "green")
    line.append(f"{hit.memory.session_id or '-':<10} ", style="cyan")
    line.append(f"{role_name(hit.memory.role):<9} ", style="magenta")
    line.append(hit.memory.content, style="default")
    console.print(line)


def print_summary(summary: memory_service_pb2.SearchSummary) -> None:
    """What a search did, on a line."""
    embedding_ms = summary.embedding_time.ToMicroseconds() / 1000
    engine_ms = summary.engine_time.ToMicroseconds() / 1000
    told = f"{summary.hit_count} of {summary.candidate_count} candidates"
    if summary.below_min_score_count:
        told += f", {summary.below_min_score_count} below the least score"
    if not summary.candidate_count:
        told = "nothing is stored that passes the filter"
    elif not summary.hit_count:
        told += f"; the nearest has {summary.nearest_score:+.3f}"
    told += (
        f" · {summary.index} by {index_pb2.Algorithm.Name(summary.algorithm).removeprefix('ALGORITHM_')}"
        f" · embedding {embedding_ms:.1f} ms, engine {engine_ms:.1f} ms"
    )
    console.print(Text(told, style="dim"))
    if summary.degraded:
        console.print(Text("The index is still being built: memories may be missing.", style="yellow"))


def print_memory(memory: memory_pb2.Memory) -> None:
    """One memory, a field on each line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in (
        ("id", memory.id),
        ("user", memory.user_id),
        ("session", memory.session_id),
        ("role", role_name(memory.role)),
        ("time", memory.timestamp.ToJsonString()),
        ("content", memory.content),
    ):
        table.add_row(Text(name, style="cyan"), Text(value))
    console.print(table)


def print_indexes(indexes: Iterable[index_pb2.Index]) -> None:
    """A table of indexes."""
    table = Table("index", "state", "memories", "dimension", "embedding model", "algorithms", "failures")
    for one in indexes:
        algorithms = ", ".join(index_pb2.Algorithm.Name(each).removeprefix("ALGORITHM_") for each in one.algorithms)
        table.add_row(
            one.name,
            index_pb2.IndexState.Name(one.state).removeprefix("INDEX_STATE_").lower(),
            f"{one.memory_count:,}",
            str(one.dimension),
            one.embedding_model or "(not adopted)",
            algorithms,
            str(one.indexing_failure_count),
        )
    console.print(table)


def role_name(role: memory_pb2.Role) -> str:
    """`user` for ROLE_USER; `-` where it is not known."""
    name = memory_pb2.Role.Name(role).removeprefix("ROLE_").lower()
    return "-" if name == "unspecified" else name
