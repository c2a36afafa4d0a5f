"""`memory-service import`: the memories of an exported file, into an index.

Each is stored under its id, so that doing it again adds nothing.
"""

import asyncio
import json
import os
import stat
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeAlias

import grpc
from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
from semantic_memory.v1 import error_reason_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.archive import Header, read_header
from memory_service.cli.batches import Batch, Place, read_batches
from memory_service.cli.deletions import delete_stale

_IN_FLIGHT = 4
_TOLD = 20
_LONGEST_HEADER = 2**20
_TRANSIENT = {code.value[0]: code for code in client.TRANSIENT}

Results: TypeAlias = dict[int, pb.BatchStoreResult]


@dataclass(slots=True)
class Tally:
    """What became of the memories of a file."""

    imported: int = 0
    already: int = 0
    expired: int = 0
    refused: int = 0
    deleted: int | None = None
    """Memories that were deleted because a file of changes says so; None for other files."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Fields that this version does not know, with how many lines have each."""

    def take(self, line: int, result: pb.BatchStoreResult) -> None:
        """Count a memory that the server has answered for."""
        if result.HasField("stored"):
            self.already += result.stored.already_stored
            self.imported += not result.stored.already_stored
        elif any(one.rule == "store.expire_time" for one in result.error.field_violations):
            self.expired += 1
        else:
            reason = error_reason_pb2.ErrorReason.Name(result.error.reason).removeprefix("ERROR_REASON_")
            self.refuse(line, f"{reason}: {result.error.message}")

    def refuse(self, line: int, why: str) -> None:
        """Count a line that cannot be imported; tell of the first ones."""
        self.refused += 1
        if self.refused <= _TOLD:
            output.print_error(f"line {line}", why)


async def import_file(
    memories: client.Stub,
    path: Path | None,
    *,
    index: str = "",
    re_embed: bool = False,
    resume: bool = False,
    deadline: float = 120.0,
) -> Tally:
    """Store the memories of the file at `path`, None being standard input.

    With `resume` begin at the place that an interrupted import has come to; with `re_embed` leave making the embeddings
    to the server.
    """
    tally = Tally()
    with path.open("rb") if path else nullcontext(sys.stdin.buffer) as file:
        first = file.readline(_LONGEST_HEADER)
        try:
            header = read_header(first)
        except ValueError as error:
            output.fail(str(path or "standard input"), str(error))
        target = await _ensure(memories, header, index, re_embed=re_embed, deadline=deadline)
        place = Place(len(first), 1)
        described = os.fstat(file.fileno())
        # A pipe, such as that of a program which unpacks the file, can neither be measured nor gone on with.
        regular = stat.S_ISREG(described.st_mode)
        bookmark = path.with_name(f"{path.name}.progress") if path and regular else None
        if header.changes:
            if not regular:
                output.fail(str(path or "standard input"), "holds changes, which are read from a regular file only")
            tally.deleted = await delete_stale(memories, target, file, deadline)
            file.seek(place.offset)
        if bookmark and resume:
            place = _resumed(file, place, bookmark, target)
        batches = read_batches(file, place, "" if re_embed else header.embedding_model)
        with output.resumable("import", bookmark):
            await _store_all(
                memories,
                target,
                batches,
                tally,
                bookmark,
                total=described.st_size if regular else None,
                deadline=deadline,
            )
    if bookmark:
        bookmark.unlink(missing_ok=True)
    if tally.refused > _TOLD:
        output.print_error("refused", f"{tally.refused - _TOLD:,} more lines")
    return tally


async def _store_all(
    memories: client.Stub,
    index: str,
    batches: Iterator[Batch],
    tally: Tally,
    bookmark: Path | None,
    *,
    total: int | None,
    deadline: float,
) -> None:
    """Store the batches and count what becomes of them; show the progress, for a file of this size in bytes."""

    def store(batch: Batch) -> Coroutine[None, None, Results]:
        return _store(memories, index, batch, deadline)

    with output.progress(BarColumn(), DownloadColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=total)
        async with aclosing(_in_order(store, batches)) as stored:
            async for batch, results in stored:
                tally.unknown.update(batch.unknown)
                for line, request in batch.lines.items():
                    if isinstance(request, ValueError):
                        tally.refuse(line, str(request))
                    else:
                        tally.take(line, results[line])
                progress.update(task, completed=batch.end.offset)
                if bookmark:
                    _keep(bookmark, index, batch.end)


async def _ensure(memories: client.Stub, header: Header, index: str, *, re_embed: bool, deadline: float) -> str:
    """The name of the index to import into, which fits the embeddings."""
    request = pb.EnsureIndexRequest(index=index or header.index)
    if not re_embed:
        request.embedding_model = header.embedding_model
        request.dimension = header.dimension
    try:
        return (await memories.EnsureIndex(request, timeout=deadline)).index.name
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        client.show_error(error)
        made_by = "the server" if re_embed else f"{header.embedding_model}, unless you give --re-embed"
        output.fail("hint", f"the embeddings would be made by {made_by}: another --index can hold them")


async def _in_order(
    store: Callable[[Batch], Coroutine[None, None, Results]], batches: Iterator[Batch]
) -> AsyncGenerator[tuple[Batch, Results], None]:
    """Each batch with its results, in the order of the file; a few are on their way at once."""
    flying: deque[tuple[Batch, asyncio.Task[Results]]] = deque()
    try:
        for batch in batches:
            flying.append((batch, asyncio.create_task(store(batch))))
            if len(flying) == _IN_FLIGHT:
                first, storing = flying.popleft()
                yield first, await storing
        while flying:
            first, storing = flying.popleft()
            yield first, await storing
    finally:
        for _, storing in flying:
            storing.cancel()
        await asyncio.gather(*(storing for _, storing in flying), return_exceptions=True)


async def _store(memories: client.Stub, index: str, batch: Batch, deadline: float) -> Results:
    """What became of each memory of a batch. One that the server was too busy for is sent again: its id makes that
    safe."""
    results: Results = {}

    async def attempt() -> None:
        left = {
            line: request
            for line, request in batch.lines.items()
            if isinstance(request, pb.StoreRequest) and line not in results
        }
        if not left:
            return
        request = pb.BatchStoreRequest(index=index, memories=left.values())
        answered = dict(zip(left, (await memories.BatchStore(request, timeout=deadline)).results, strict=True))
        busy = {line: one for line, one in answered.items() if one.error.code in _TRANSIENT}
        results.update((line, one) for line, one in answered.items() if line not in busy)
        if busy:
            line, one = next(iter(busy.items()))
            raise grpc.aio.AioRpcError(_TRANSIENT[one.error.code], details=f"line {line}: {one.error.message}")

    await client.patiently(attempt)
    return results


def _keep(bookmark: Path, index: str, place: Place) -> None:
    """Write down that everything before this place is in the index."""
    new = bookmark.with_name(f"{bookmark.name}.new")
    new.write_text(json.dumps({"index": index, **asdict(place)}))
    new.replace(bookmark)


def _resumed(file: BinaryIO, start: Place, bookmark: Path, index: str) -> Place:
    """The place that an interrupted import has come to, or the start; the file is then there."""
    if not bookmark.exists():
        return start
    try:
        fields = json.loads(bookmark.read_bytes())
        begun, place = fields["index"], Place(int(fields["offset"]), int(fields["line"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        output.fail(str(bookmark), "cannot be read: import without --resume")
    if begun != index:
        output.fail(str(bookmark), f"is of an import into {begun}, not into {index}: import without --resume")
    file.seek(max(place.offset - 1, 0))
    if place.offset < start.offset or file.read(1) != b"\n":
        output.fail(str(bookmark), "is of another file: import without --resume")
    return place
