"""What the commands print: tables for people, JSON for scripts (the contract's JSON form)."""

import io
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text
from semantic_memory.v1 import index_pb2, memory_pb2, memory_service_pb2

_INDENT = 8
"""Columns before what belongs to the line above."""

# Texts of others are printed as they are: rich would take brackets in them for markup.
console = Console(highlight=False, markup=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


_ESCAPED = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
}
"""What a terminal would obey instead of showing: control characters, and those that turn the direction of writing."""
_IN_A_TEXT = {code: shown for code, shown in _ESCAPED.items() if chr(code) not in "\n\t"}


def use_any_encoding() -> None:
    """Let what the terminal's encoding lacks be printed as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def visible(text: str) -> str:
    """A text of one line without anything that a terminal would obey."""
    return text.translate(_ESCAPED)


def visible_text(text: str, indent: int) -> str:
    """A text of several lines without anything else that a terminal would obey. All but the first are indented, so that
    none looks like a line of ours."""
    return text.translate(_IN_A_TEXT).replace("\n", "\n" + " " * indent)


def print_error(what: str, why: str) -> None:
    """One line on standard error."""
    errors.print(Text.assemble((visible(what), "bold red"), ": ", visible(why)))


def print_note(what: str, told: str) -> None:
    """One line on standard error about what went well."""
    errors.print(Text.assemble((visible(what), "bold"), ": ", visible(told)))


def print_told(told: str, style: str = "") -> None:
    """One line on standard output."""
    console.print(Text(visible(told), style))


def fail(what: str, why: str) -> NoReturn:
    """End the command with one line on standard error and exit status 1."""
    print_error(what, why)
    raise typer.Exit(1)


def confirm(question: str) -> None:
    """Go on only when the person at the terminal agrees."""
    if not sys.stdin.isatty():
        fail("not done", f"{question} There is no terminal to ask at: say --yes")
    if errors.input(Text(f"{visible(question)} [y/N] ")).strip().lower() not in {"y", "yes"}:
        raise typer.Abort


def counted(count: int) -> str:
    """So many memories, in words."""
    return "1 memory" if count == 1 else f"{count:,} memories"


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on standard error, when that is a terminal."""
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


@contextmanager
def resumable(command: str, path: Path | None) -> Iterator[None]:
    """Say how to go on with the work on a file when it ends early, for whatever reason."""
    try:
        yield
    except BaseException:
        if path is not None:
            print_error("hint", f"memory-service {command} --resume goes on from here")
        raise


def print_json(message: Message) -> None:
    """One message as one line of JSON."""
    typer.echo(json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True))


def print_hit(hit: memory_service_pb2.Hit) -> None:
    """One hit on a line: score, session, who, and the text; below it what the score is made of, where that is more than
    one thing, and what was said around it."""
    line = Text(f"{hit.rank_score:+.3f}  ", style="bold green" if hit.rank_score >= 0.15 else "green")
    line.append(_turn(hit.memory))
    console.print(line)
    parts = {"score": hit.score} if hit.score else {}
    if hit.HasField("text_score"):
        parts["text"] = hit.text_score
    if hit.HasField("recency_score"):
        parts["recency"] = hit.recency_score
    if not any(math.isclose(hit.rank_score, part, abs_tol=1e-5) for part in parts.values()):
        told = " · ".join(f"{name} {part:+.3f}" for name, part in parts.items())
        console.print(Text(f"        {told}", style="dim"))
    for memory in hit.context if len(hit.context) > 1 else ():
        line = Text("        ").append(_turn(memory))
        line.stylize("bold" if memory.id == hit.memory.id else "dim")
        console.print(line)
    if hit.context_hit_id:
        console.print(Text("        (among the turns above)", style="dim"))


def print_summary(summary: memory_service_pb2.SearchSummary, *, by_words: bool = False) -> None:
    """What a search did, on a line; `by_words` when only words made a memory relevant."""
    print_told(in_words(summary, by_words=by_words), "dim")
    if summary.degraded:
        why = "the index is still being built, or a shard does not answer"
        console.print(Text(f"Memories may be missing: {why}.", style="yellow"))


def in_words(summary: memory_service_pb2.SearchSummary, *, by_words: bool) -> str:
    """What a search did, and why it found nothing where it did not."""
    embedding_ms = summary.embedding_time.ToMicroseconds() / 1000
    engine_ms = summary.engine_time.ToMicroseconds() / 1000
    told = f"{summary.hit_count} of {summary.candidate_count} candidates"
    if summary.below_min_score_count:
        told += f", {summary.below_min_score_count} below the least score"
    if not summary.candidate_count:
        told = (
            "nothing that passes the filter has a word of the query"
            if by_words
            else "nothing is stored that passes the filter"
        )
    elif not summary.hit_count and summary.HasField("nearest_score"):
        told += f"; the nearest has {summary.nearest_score:+.3f}"
    told += (
        f" · {summary.index} by {index_pb2.Algorithm.Name(summary.algorithm).removeprefix('ALGORITHM_')}"
        f" · embedding {embedding_ms:.1f} ms, engine {engine_ms:.1f} ms"
    )
    if summary.query_terms:
        told += f" · terms {', '.join(summary.query_terms)}"
    if summary.common_terms:
        told += f"; common {', '.join(summary.common_terms)}"
    return told


def print_line(memory: memory_pb2.Memory, *, with_user: bool) -> None:
    """One memory on a line: id, time, session, who, and the text."""
    written = memory.timestamp.ToDatetime().isoformat(" ", "seconds")
    line = Text.assemble((f"{visible(memory.id):<32}  ", "dim"), f"{written}  ")
    if with_user:
        line.append(f"{visible(memory.user_id):<10} ", style="yellow")
    console.print(line.append(_turn(memory)))


def print_memory(memory: memory_pb2.Memory) -> None:
    """One memory, a field on each line."""
    rows = [
        ("id", memory.id),
        ("user", memory.user_id),
        ("session", memory.session_id),
        ("role", _role_name(memory.role)),
        ("time", memory.timestamp.ToJsonString()),
    ]
    if memory.HasField("expire_time"):
        rows.append(("expires", memory.expire_time.ToJsonString()))
    if memory.labels:
        rows.append(("labels", ", ".join(memory.labels)))
    rows += [("metadata", f"{key}={memory.metadata[key]}") for key in sorted(memory.metadata)]
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, style="cyan"), Text(visible(value)))
    table.add_row(Text("content", style="cyan"), Text(visible_text(memory.content, 0)))
    console.print(table)


def print_indexes(indexes: Iterable[index_pb2.Index]) -> None:
    """A table of indexes."""
    table = Table(box=None, pad_edge=False)
    for name in ("index", "state", "memories", "dim.", "embedding model", "algorithms", "layout", "failures"):
        # Of a narrow terminal only the model's name takes several lines.
        table.add_column(name, overflow="fold", no_wrap=name != "embedding model")
    for one in indexes:
        algorithms = ", ".join(index_pb2.Algorithm.Name(each).removeprefix("ALGORITHM_") for each in one.algorithms)
        table.add_row(
            visible(one.name),
            index_pb2.IndexState.Name(one.state).removeprefix("INDEX_STATE_").lower(),
            f"{one.memory_count:,}",
            str(one.dimension),
            visible(one.embedding_model) or "(not adopted)",
            algorithms,
            index_pb2.Layout.Name(one.layout).removeprefix("LAYOUT_"),
            str(one.indexing_failure_count),
        )
    console.print(table)


def _role_name(role: memory_pb2.Role) -> str:
    """`user` for ROLE_USER; `-` where it is not known."""
    name = memory_pb2.Role.Name(role).removeprefix("ROLE_").lower()
    return "-" if name == "unspecified" else name


def _turn(memory: memory_pb2.Memory) -> Text:
    return Text.assemble(
        (f"{visible(memory.session_id) or '-':<10} ", "cyan"),
        (f"{_role_name(memory.role):<9} ", "magenta"),
        visible_text(memory.content, _INDENT),
    )
