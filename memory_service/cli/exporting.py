"""The command `export`: write the memories that match a filter to a file that stays usable if interrupted."""

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
from memory_service.cli.file_digests import FileDigests

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
    """Write memories to the file at `path`, or to standard output; return the number of memories in it.

    With `resume`, add the memories that the file lacks and remove those that the index no longer has, regardless of
    their timestamps. With `force`, overwrite the file. With `changes_since`, write only what differs from that earlier
    export.
    """
    info = (await memories.GetIndex(pb.GetIndexRequest(index=index), timeout=deadline)).index
    if not info.embedding_model:
        output.fail(info.name, "its embedding model is not recorded: run memory-service ensure-index")
    header = Header(info.name, info.embedding_model, info.dimension, as_json(where))
    request = pb.ListRequest(index=info.name, filter=where, page_size=_PAGE, include_embeddings=True)
    with closing(FileDigests()) as digests:
        if changes_since is not None:
            _read_earlier(changes_since, header, digests)
            header = replace(header, changes=True)
        with (
            _open_output(path, header, digests, resume=resume, force=force) as (file, existing),
            output.progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress,
            output.hint_to_resume("export", None if changes_since else path),
        ):
            total = None if progress.disable else await _count(memories, info.name, where, deadline)
            count = existing
            task = progress.add_task("", total=total, completed=count)
            while True:
                page = await client.retry(lambda: memories.List(request, timeout=deadline))
                for memory in page.memories:
                    if not digests.mark_in_index(memory):
                        file.write(memory_line(memory))
                        count += 1
                file.flush()
                progress.update(task, completed=count)
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            if changes_since is not None and digests.any_stale():
                _write_deletions(changes_since, file, digests)
        if resume and path is not None and digests.any_stale():
            count -= _remove_stale(path, digests)
    return count


@contextmanager
def _open_output(
    path: Path | None, header: Header, digests: FileDigests, *, resume: bool, force: bool
) -> Iterator[tuple[BinaryIO, int]]:
    """Open the output, write its header, add its memories to `digests`; yield it with their number."""
    if path is None:
        sys.stdout.buffer.write(header.line())
        yield sys.stdout.buffer, 0
        return
    if resume and path.exists():
        with path.open("r+b") as file:
            first = file.readline()
            if not header.line().startswith(first):  # It may be cut off or missing.
                _fail_on_header(path, first, header)
            size, count = len(header.line()), 0
            for line, length in read_lines(file):
                try:
                    memory = read_line(line).entry
                except ValueError:
                    break
                if not line.endswith(b"\n") or isinstance(memory, Deleted):
                    break
                digests.add(memory)
                count += 1
                size += length
            file.seek(0)
            file.write(header.line())
            file.seek(size)
            file.truncate()
            yield file, count
        return
    if path.exists() and not force:
        output.fail(str(path), "already exists: update it with --resume or overwrite it with --force")
    with path.open("wb") as file:
        file.write(header.line())
        yield file, 0


def _read_earlier(path: Path, header: Header, digests: FileDigests) -> None:
    """Add the memories of an earlier export with the same header to `digests`."""
    with path.open("rb") as file:
        if (first := file.readline()) != header.line():
            _fail_on_header(path, first, header)
        for memory in _memories(path, file):
            digests.add(memory)


def _memories(path: Path, file: BinaryIO) -> Iterator[memory_pb2.Memory]:
    """Yield the memories of a complete export, read from after its header."""
    for number, (line, _) in enumerate(read_lines(file), 2):
        try:
            entry = read_line(line).entry
        except ValueError as error:
            output.fail(f"{path}: line {number}", f"{error}; export --resume repairs the file")
        if isinstance(entry, memory_pb2.Memory):
            yield entry


def _write_deletions(path: Path, file: BinaryIO, digests: FileDigests) -> None:
    """Write the memories of the earlier export that the index no longer has."""
    count = 0
    with path.open("rb") as earlier:
        earlier.readline()
        for memory in _memories(path, earlier):
            if digests.is_stale(memory):
                memory.ClearField("embedding")
                file.write(Deleted(memory).line())
                count += 1
    output.print_note("deleted or changed since", output.format_count(count))


def _remove_stale(path: Path, digests: FileDigests) -> int:
    """Remove memories that the index no longer has from the file; return their number."""
    count = 0
    new = path.with_name(f"{path.name}.new")
    with path.open("rb") as file, new.open("wb") as output_file:
        output_file.write(file.readline())
        for line, _ in read_lines(file):
            memory = read_line(line).entry
            if isinstance(memory, memory_pb2.Memory) and digests.is_stale(memory):
                count += 1
            else:
                output_file.write(line)
    new.replace(path)
    output.print_note("removed, as deleted or changed since", output.format_count(count))
    return count


def _fail_on_header(path: Path, first: bytes, expected: Header) -> NoReturn:
    try:
        header = read_header(first)
    except ValueError as error:
        output.fail(str(path), str(error))
    actual_line, expected_line = header.line().decode().strip(), expected.line().decode().strip()
    output.fail(str(path), f"is another export: its header is {actual_line}, not {expected_line}")


async def _count(memories: client.Stub, index: str, where: memory_pb2.MemoryFilter, deadline: float) -> int | None:
    """Count the memories; return None if the caller lacks the right to delete, which the count requires."""
    request = pb.DeleteMatchingRequest(index=index, filter=where, dry_run=True)
    if not where.HasField("start_time"):
        # Even a count needs a filter that excludes something.
        request.filter.start_time.CopyFrom(_YEAR_ONE)
    try:
        return (await memories.DeleteMatching(request, timeout=deadline)).count
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return None
        raise
