"""`memory-service export`: the memories that pass a filter, into a file that an interruption leaves usable."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

from google.protobuf.timestamp_pb2 import Timestamp
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.archive import Header, Written, as_json, memory_line, read_header, read_written

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
    deadline: float = 60.0,
) -> int:
    """Write memories to the file at `path`, None being standard output; return how many it holds then.

    With `resume` what a file holds already stays and the rest is added; with `force` it is written anew.
    """
    described = (await memories.GetIndex(pb.GetIndexRequest(index=index), timeout=deadline)).index
    if not described.embedding_model:
        output.fail(described.name, "nobody has said yet which model made its embeddings: ensure-index does")
    header = Header(described.name, described.embedding_model, described.dimension, as_json(where))
    request = pb.ListRequest(index=described.name, filter=where, page_size=_PAGE, include_embeddings=True)
    with (
        _opened(path, header, resume=resume, force=force) as (file, written),
        output.progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress,
        output.resumable("export", path),
    ):
        total = None if progress.disable else await _count(memories, described.name, where, deadline)
        task = progress.add_task("", total=total, completed=written.count)
        if written.last is not None:
            request.filter.start_time.CopyFrom(written.last)
        count = written.count
        while True:
            page = await client.patiently(lambda: memories.List(request, timeout=deadline))
            for memory in page.memories:
                if not written.holds(memory):
                    file.write(memory_line(memory))
                    count += 1
            file.flush()
            progress.update(task, completed=count)
            if not page.next_page_token:
                return count
            request.page_token = page.next_page_token


@contextmanager
def _opened(path: Path | None, header: Header, *, resume: bool, force: bool) -> Iterator[tuple[BinaryIO, Written]]:
    """The file to go on writing to, with its header, and what else it holds."""
    line = header.line()
    if path is None:
        sys.stdout.buffer.write(line)
        yield sys.stdout.buffer, Written(len(line))
        return
    if resume and path.exists():
        with path.open("r+b") as file:
            first = file.readline()
            if not line.startswith(first):  # It may be torn, or not there at all.
                _refuse(path, first, header)
            written = read_written(file, len(line))
            file.seek(0)
            file.write(line)
            file.seek(written.size)
            file.truncate()
            yield file, written
        return
    if path.exists() and not force:
        output.fail(str(path), "is there already: --resume goes on with it, --force writes it anew")
    with path.open("wb") as file:
        file.write(line)
        yield file, Written(len(line))


def _refuse(path: Path, first: bytes, wanted: Header) -> NoReturn:
    try:
        read_header(first)
    except ValueError as error:
        output.fail(str(path), str(error))
    output.fail(
        str(path), f"is another export: it begins with {first.decode()}this one would with {wanted.line().decode()}"
    )


async def _count(memories: client.Stub, index: str, where: memory_pb2.MemoryFilter, deadline: float) -> int:
    request = pb.DeleteMatchingRequest(index=index, filter=where, dry_run=True)
    if not where.HasField("start_time"):
        # Even for counting, a filter is refused that lets everything through.
        request.filter.start_time.CopyFrom(_YEAR_ONE)
    return (await memories.DeleteMatching(request, timeout=deadline)).count
