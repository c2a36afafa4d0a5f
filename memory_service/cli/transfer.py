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

_UNKNOWN, _UNKNOWN_NAME = 20, 64
"""Fields of a newer version that are named, and characters of each name."""


@commands.command()
@filtered
def export(
    file: Annotated[str, typer.Argument(help="The file to write; - for standard output.")],
    where: memory_pb2.MemoryFilter,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a file: add what it lacks, leave out what is deleted.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    changes_since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write only what was stored and deleted since that export."),
    ] = None,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 60.0,
) -> None:
    """Write memories with their embeddings to a file, as JSON lines, oldest first."""
    path = _path(file, resume=resume)
    if changes_since is not None and (resume or path == changes_since):
        raise typer.BadParameter("writes a new file: give another name, without --resume", param_hint="--changes-since")
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
        raise  # The reader has seen enough, which is no error.
    except OSError as error:
        output.fail(error.filename or file, error.strerror or str(error))
    (output.console if path else output.errors).print(f"exported {output.counted(count)}")


@commands.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="The file of an export; - for standard input.")],
    re_embed: Annotated[
        bool, typer.Option("--re-embed", help="Let the server make the embeddings anew, by its own model.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted import has come to.")] = False,
    index: Annotated[str, typer.Option(help="The index; the one that was exported when left out.")] = "",
    address: Address = SERVER,
    timeout: Timeout = 120.0,
) -> None:
    """Store the memories of an exported file. What is there already stays, so that it can be done again."""
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
    for name, lines in tally.unknown.most_common(_UNKNOWN):
        output.print_error(
            "ignored", f"the field {name[:_UNKNOWN_NAME]!r} of {lines:,} lines: this version does not know it"
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
            raise typer.BadParameter("only a file can be gone on with, not -", param_hint="--resume")
        return None
    return Path(file)
