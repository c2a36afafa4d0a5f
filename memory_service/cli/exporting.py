"""`memory-service export`: the memories that pass a filter, into a file that an interruption leaves usable."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NoReturn

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.archive import Deleted, Header, as_json, memory_line, read_header, read_line, read_lines
from memory_service.cli.held import Held

_PAGE = 1000
_YEAR_ONE = Timestamp(seconds=-62_135_596_800)


async def export(
    memories: client.Stub,
    path: Path | None,
    where: memory_pb2.MemoryFilter,
    *,
    index: str = "",
    resume: bool = False,
    force: bool = False,
    changes_since: Path | None = None,
    deadline: float = 60.0,
) -> int:
    """Write memories to the file at `path`, None being standard output; return how many it holds then.

    With `resume` the file gets what it lacks and loses what the index no longer has, whatever the timestamps; with
    `force` it is written anew. With `changes_since` it gets only what an earlier export lacks, and what was deleted.
    """
    described = (await memories.GetIndex(pb.GetIndexRequest(index=index), timeout=deadline)).index
    if not described.embedding_model:
        output.fail(described.name, "nobody has said yet which model made its embeddings: ensure-index does")
    header = Header(described.name, described.embedding_model, described.dimension, as_json(where))
    request = pb.ListRequest(index=described.name, filter=where, page_size=_PAGE, include_embeddings=True)
    with closing(Held()) as held:
        if changes_since is not None:
            _read(changes_since, header, held)
            header = replace(header, changes=True)
        with (
            _opened(path, header, held, resume=resume, force=force) as (file, held_already),
            output.progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress,
            output.resumable("export", None if changes_since else path),
        ):
            total = None if progress.disable else await _count(memories, described.name, where, deadline)
            count = held_already
            task = progress.add_task("", total=total, completed=count)
            while True:
                page = await client.patiently(lambda: memories.List(request, timeout=deadline))
                for memory in page.memories:
                    if not held.see(memory):
                        file.write(memory_line(memory))
                        count += 1
                file.flush()
                progress.update(task, completed=count)
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            if changes_since is not None and held.any_stale():
                _write_deletions(changes_since, file, held)
        if resume and path is not None and held.any_stale():
            count -= _leave_out_stale(path, held)
    return count


@contextmanager
def _opened(
    path: Path | None, header: Header, held: Held, *, resume: bool, force: bool
) -> Iterator[tuple[BinaryIO, int]]:
    """The file to go on writing to, with its header, and how many memories it holds, which are then known."""
    if path is None:
        sys.stdout.buffer.write(header.line())
        yield sys.stdout.buffer, 0
        return
    if resume and path.exists():
        with path.open("r+b") as file:
            first = file.readline()
            if not header.line().startswith(first):  # It may be torn, or not there at all.
                _refuse(path, first, header)
            size, count = len(header.line()), 0
            for line, length in read_lines(file):
                try:
                    memory = read_line(line).entry
                except ValueError:
                    break
                if not line.endswith(b"\n") or isinstance(memory, Deleted):
                    break
                held.add(memory)
                count += 1
                size += length
            file.seek(0)
            file.write(header.line())
            file.seek(size)
            file.truncate()
            yield file, count
        return
    if path.exists() and not force:
        output.fail(str(path), "is there already: --resume goes on with it, --force writes it anew")
    with path.open("wb") as file:
        file.write(header.line())
        yield file, 0


def _read(path: Path, header: Header, held: Held) -> None:
    """Learn what an earlier export of the same memories holds."""
    with path.open("rb") as file:
        if (first := file.readline()) != header.line():
            _refuse(path, first, header)
        for memory in _memories(path, file):
            held.add(memory)


def _memories(path: Path, file: BinaryIO) -> Iterator[memory_pb2.Memory]:
    """The memories of a whole export, behind its header."""
    for number, (line, _) in enumerate(read_lines(file), 2):
        try:
            entry = read_line(line).entry
        except ValueError as error:
            output.fail(f"{path}: line {number}", f"{error}; export --resume repairs the file")
        if isinstance(entry, memory_pb2.Memory):
            yield entry


def _write_deletions(path: Path, file: BinaryIO, held: Held) -> None:
    """Write what an earlier export has and the index no longer."""
    count = 0
    with path.open("rb") as earlier:
        earlier.readline()
        for memory in _memories(path, earlier):
            if held.is_stale(memory):
                memory.ClearField("embedding")
                file.write(Deleted(memory).line())
                count += 1
    output.print_note("deleted or changed since", output.counted(count))


def _leave_out_stale(path: Path, held: Held) -> int:
    """Take out of the file what the index no longer has; return how many memories that was."""
    count = 0
    new = path.with_name(f"{path.name}.new")
    with path.open("rb") as file, new.open("wb") as kept:
        kept.write(file.readline())
        for line, _ in read_lines(file):
            memory = read_line(line).entry
            if isinstance(memory, memory_pb2.Memory) and held.is_stale(memory):
                count += 1
            else:
                kept.write(line)
    new.replace(path)
    output.print_note("left out, as deleted or changed since", output.counted(count))
    return count


def _refuse(path: Path, first: bytes, wanted: Header) -> NoReturn:
    try:
        found = read_header(first)
    except ValueError as error:
        output.fail(str(path), str(error))
    shown, other = (one.line().decode().strip() for one in (found, wanted))
    output.fail(str(path), f"is another export: it begins with {shown}, this one would with {other}")


async def _count(memories: client.Stub, index: str, where: memory_pb2.MemoryFilter, deadline: float) -> int | None:
    """How many memories there are, for callers who may count them: those with the right to delete."""
    request = pb.DeleteMatchingRequest(index=index, filter=where, dry_run=True)
    if not where.HasField("start_time"):
        # Even for counting, a filter is refused that lets everything through.
        request.filter.start_time.CopyFrom(_YEAR_ONE)
    try:
        return (await memories.DeleteMatching(request, timeout=deadline)).count
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return None
        raise
