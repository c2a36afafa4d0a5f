"""Output of the commands: tables for people; for scripts JSON, in the form of the protobuf messages."""

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

NO_MATCH = "no memory matches the filter"

_INDENT = 8
"""Columns before a line that continues the one above."""

# No markup: rich would interpret brackets in stored texts.
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
"""Control characters and those that change the direction of writing: a terminal would act on them."""
_ESCAPED_IN_TEXT = {code: shown for code, shown in _ESCAPED.items() if chr(code) not in "\n\t"}


def escape_unencodable() -> None:
    """Print characters that the terminal's encoding lacks as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def escape(text: str) -> str:
    """Return a text for one line, with control characters as escapes."""
    return text.translate(_ESCAPED)


def escape_lines(text: str, indent: int) -> str:
    """Return a text of several lines, with all other control characters as escapes. Lines after the first are indented,
    so that a text cannot imitate the output of a command."""
    return text.translate(_ESCAPED_IN_TEXT).replace("\n", "\n" + " " * indent)


def print_error(subject: str, text: str) -> None:
    """Print an error on one line of standard error."""
    errors.print(Text.assemble((escape(subject), "bold red"), ": ", escape(text)))


def print_note(subject: str, text: str) -> None:
    """Print a note on one line of standard error."""
    errors.print(Text.assemble((escape(subject), "bold"), ": ", escape(text)))


def print_text(text: str, style: str = "") -> None:
    """Print one line on standard output."""
    console.print(Text(escape(text), style))


def fail(subject: str, text: str) -> NoReturn:
    """End the command with one line on standard error and exit status 1."""
    print_error(subject, text)
    raise typer.Exit(1)


def confirm(question: str) -> None:
    """Ask at the terminal; end the command unless the answer is yes."""
    if not sys.stdin.isatty():
        fail("not done", f"{question} There is no terminal to ask at: confirm with --yes")
    if errors.input(Text(f"{escape(question)} [y/N] ")).strip().lower() not in {"y", "yes"}:
        raise typer.Abort


def format_count(count: int) -> str:
    """Return `1 memory` or `2 memories`."""
    return "1 memory" if count == 1 else f"{count:,} memories"


def progress(*columns: ProgressColumn) -> Progress:
    """Return a progress bar on standard error; it is hidden where that is not a terminal."""
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


@contextmanager
def hint_to_resume(command: str, path: Path | None) -> Iterator[None]:
    """Say how to resume the work on a file if the command fails or is interrupted."""
    try:
        yield
    except BaseException:
        if path is not None:
            print_error("hint", f"memory-service {command} --resume continues from here")
        raise


def print_json(message: Message) -> None:
    """Print a message as one line of JSON."""
    typer.echo(json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True))


def print_hit(hit: memory_service_pb2.Hit) -> None:
    """Print a hit on a line: score, session, role and text. Below it are the parts of its score, if it has several, and
    its context."""
    line = Text(f"{hit.rank_score:+.3f}  ", style="bold green" if hit.rank_score >= 0.15 else "green")
    line.append(_message(hit.memory))
    console.print(line)
    parts = {"score": hit.score} if hit.score else {}
    if hit.HasField("text_score"):
        parts["text"] = hit.text_score
    if hit.HasField("recency_score"):
        parts["recency"] = hit.recency_score
    if not any(math.isclose(hit.rank_score, part, abs_tol=1e-5) for part in parts.values()):
        shown = " · ".join(f"{name} {part:+.3f}" for name, part in parts.items())
        console.print(Text(f"        {shown}", style="dim"))
    for memory in hit.context if len(hit.context) > 1 else ():
        line = Text("        ").append(_message(memory))
        line.stylize("bold" if memory.id == hit.memory.id else "dim")
        console.print(line)
    if hit.context_hit_id:
        console.print(Text("        (context: see above)", style="dim"))


def print_summary(summary: memory_service_pb2.SearchSummary, *, by_words: bool = False) -> None:
    """Print the summary of a search on a line; `by_words` for the mode TEXT."""
    print_text(describe_summary(summary, by_words=by_words), "dim")
    if summary.degraded:
        cause = "the index is still building, or a shard does not answer"
        console.print(Text(f"Memories may be missing: {cause}.", style="yellow"))


def describe_summary(summary: memory_service_pb2.SearchSummary, *, by_words: bool) -> str:
    """Return the counts, index and times of a search, and the reason if it has no hits."""
    embedding_ms = summary.embedding_time.ToMicroseconds() / 1000
    engine_ms = summary.engine_time.ToMicroseconds() / 1000
    text = f"{summary.hit_count} of {summary.candidate_count} candidates"
    if summary.hit_count == summary.candidate_count:  # "5 of 5" would look like the number of memories.
        text = "1 hit" if summary.hit_count == 1 else f"{summary.hit_count} hits"
    if summary.below_min_score_count:
        text += f", {summary.below_min_score_count} below the minimum score"
    if not summary.candidate_count:
        text = "no memory that matches the filter contains a word of the query" if by_words else NO_MATCH
    elif not summary.hit_count and summary.HasField("nearest_score"):
        text += f"; the nearest scores {summary.nearest_score:+.3f}"
    text += (
        f" · {summary.index} by {index_pb2.Algorithm.Name(summary.algorithm).removeprefix('ALGORITHM_')}"
        f" · embedding {embedding_ms:.1f} ms, engine {engine_ms:.1f} ms"
    )
    if summary.query_terms:
        text += f" · terms {', '.join(summary.query_terms)}"
    if summary.common_terms:
        text += f"; common {', '.join(summary.common_terms)}"
    return text


def print_memory_row(memory: memory_pb2.Memory, *, with_user: bool) -> None:
    """Print a memory on a line: id, time, session, role and text."""
    written = memory.timestamp.ToDatetime().isoformat(" ", "seconds")
    line = Text.assemble((f"{escape(memory.id):<32}  ", "dim"), f"{written}  ")
    if with_user:
        line.append(f"{escape(memory.user_id):<10} ", style="yellow")
    console.print(line.append(_message(memory)))


def print_memory(memory: memory_pb2.Memory) -> None:
    """Print a memory with a line for each field."""
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
        table.add_row(Text(name, style="cyan"), Text(escape(value)))
    table.add_row(Text("content", style="cyan"), Text(escape_lines(memory.content, 0)))
    console.print(table)


def print_indexes(indexes: Iterable[index_pb2.Index]) -> None:
    """Print a table of indexes."""
    table = Table(box=None, pad_edge=False)
    for name in ("index", "state", "memories", "dim.", "embedding model", "algorithms", "layout", "failures"):
        # In a narrow terminal only the name of the model wraps.
        table.add_column(name, overflow="fold", no_wrap=name != "embedding model")
    for index in indexes:
        algorithms = ", ".join(
            index_pb2.Algorithm.Name(algorithm).removeprefix("ALGORITHM_") for algorithm in index.algorithms
        )
        table.add_row(
            escape(index.name),
            index_pb2.IndexState.Name(index.state).removeprefix("INDEX_STATE_").lower(),
            f"{index.memory_count:,}",
            str(index.dimension),
            escape(index.embedding_model) or "(not adopted)",
            algorithms,
            index_pb2.Layout.Name(index.layout).removeprefix("LAYOUT_"),
            str(index.indexing_failure_count),
        )
    console.print(table)


def _role_name(role: memory_pb2.Role) -> str:
    """Return `user` for ROLE_USER and `-` for no role."""
    name = memory_pb2.Role.Name(role).removeprefix("ROLE_").lower()
    return "-" if name == "unspecified" else name


def _message(memory: memory_pb2.Memory) -> Text:
    return Text.assemble(
        (f"{escape(memory.session_id) or '-':<10} ", "cyan"),
        (f"{_role_name(memory.role):<9} ", "magenta"),
        escape_lines(memory.content, _INDENT),
    )
