"""The commands `export` and `import`."""

from pathlib import Path
from typing import Annotated

import typer
from semantic_memory.v1 import memory_pb2

from memory_service.cli import client, output
from memory_service.cli.exporting import export as export_to
from memory_service.cli.importing import import_file
from memory_service.cli.options import SERVER, Address, Index, Timeout, filtered

commands = typer.Typer()

_MAX_UNKNOWN, _MAX_NAME = 20, 64
"""Unknown fields that are reported, and characters of each name."""


@commands.command()
@filtered
def export(
    file: Annotated[str, typer.Argument(help="The file to write; - for standard output.")],
    where: memory_pb2.MemoryFilter,
    resume: Annotated[
        bool, typer.Option("--resume", help="Update a file: add new memories, remove deleted ones.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    changes_since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Export only the memories stored and deleted since that export."),
    ] = None,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 60.0,
) -> None:
    """Write memories with their embeddings to a file of JSON lines, oldest first."""
    path = _path(file, resume=resume)
    if changes_since is not None and (resume or path == changes_since):
        raise typer.BadParameter("needs a new file: use another name, without --resume", param_hint="--changes-since")
    try:
        count = client.call(
            address,
            lambda memories: export_to(
                memories,
                path,
                where,
                index=index,
                resume=resume,
                force=force,
                changes_since=changes_since,
                deadline=timeout,
            ),
        )
    except BrokenPipeError:
        raise  # The reader of the pipe stopped: not an error of the export.
    except OSError as error:
        output.fail(error.filename or file, error.strerror or str(error))
    (output.console if path else output.errors).print(f"exported {output.format_count(count)}")


@commands.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="The file of an export; - for standard input.")],
    re_embed: Annotated[
        bool, typer.Option("--re-embed", help="Let the server compute new embeddings with its own model.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted import.")] = False,
    index: Annotated[str, typer.Option(help="The index; by default the exported one.")] = "",
    address: Address = SERVER,
    timeout: Timeout = 120.0,
) -> None:
    """Store the memories of an exported file. It skips memories that exist, so you can repeat it."""
    path = _path(file, resume=resume)
    try:
        tally = client.call(
            address,
            lambda memories: import_file(
                memories, path, index=index, re_embed=re_embed, resume=resume, deadline=timeout
            ),
        )
    except OSError as error:
        output.fail(error.filename or file, error.strerror or str(error))
    for name, lines in tally.unknown.most_common(_MAX_UNKNOWN):
        output.print_error(
            "ignored", f"the field {name[:_MAX_NAME]!r} of {lines:,} lines, which this version does not know"
        )
    deleted = "" if tally.deleted is None else f", deleted {tally.deleted:,}"
    output.console.print(
        f"imported {tally.imported:,}, already there {tally.already:,}, "
        f"expired {tally.expired:,}, refused {tally.refused:,}{deleted}"
    )
    if tally.refused:
        raise typer.Exit(1)


def _path(file: str, *, resume: bool) -> Path | None:
    if file == "-":
        if resume:
            raise typer.BadParameter("needs a file: standard input and output cannot be resumed", param_hint="--resume")
        return None
    return Path(file)
