"""The command `import`: store the memories of an exported file in an index.

Each memory keeps its id, so that a repeated import adds nothing.
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
from memory_service.cli.batches import Batch, Position, read_batches
from memory_service.cli.deletions import apply_deletions

_CONCURRENT_BATCHES = 4
_REPORTED_LINES = 20
_MAX_HEADER_BYTES = 2**20
_RETRYABLE = {code.value[0]: code for code in client.RETRYABLE}

Results: TypeAlias = dict[int, pb.BatchStoreResult]


@dataclass(slots=True)
class Tally:
    """Counts of the results of an import."""

    imported: int = 0
    already: int = 0
    expired: int = 0
    refused: int = 0
    deleted: int | None = None
    """Number of deleted memories that a file of changes lists; None for other files."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Unknown fields, each with the number of lines that contain it."""

    def count_result(self, line: int, result: pb.BatchStoreResult) -> None:
        """Count the server's result for a memory."""
        if result.HasField("stored"):
            self.already += result.stored.already_stored
            self.imported += not result.stored.already_stored
        elif any(violation.rule == "store.expire_time" for violation in result.error.field_violations):
            self.expired += 1
        else:
            reason = error_reason_pb2.ErrorReason.Name(result.error.reason).removeprefix("ERROR_REASON_")
            self.count_refused(line, f"{reason}: {result.error.message}")

    def count_refused(self, line: int, reason: str) -> None:
        """Count a line that cannot be imported; print the first ones."""
        self.refused += 1
        if self.refused <= _REPORTED_LINES:
            output.print_error(f"line {line}", reason)


async def import_file(
    memories: client.Stub,
    path: Path | None,
    *,
    index: str = "",
    re_embed: bool = False,
    resume: bool = False,
    deadline: float = 120.0,
) -> Tally:
    """Store the memories of the file at `path`, or of standard input.

    With `resume`, continue an interrupted import. With `re_embed`, let the server compute the embeddings.
    """
    tally = Tally()
    with path.open("rb") if path else nullcontext(sys.stdin.buffer) as file:
        first = file.readline(_MAX_HEADER_BYTES)
        try:
            header = read_header(first)
        except ValueError as error:
            output.fail(str(path or "standard input"), str(error))
        target = await _ensure_index(memories, header, index, re_embed=re_embed, deadline=deadline)
        position = Position(len(first), 1)
        attributes = os.fstat(file.fileno())
        # A pipe, such as that of a program that decompresses the file, has no size and cannot be resumed.
        regular = stat.S_ISREG(attributes.st_mode)
        progress_file = path.with_name(f"{path.name}.progress") if path and regular else None
        if header.changes:
            if not regular:
                output.fail(str(path or "standard input"), "has changes, which need a regular file")
            tally.deleted = await apply_deletions(memories, target, file, deadline)
            file.seek(position.offset)
        if progress_file and resume:
            position = _resume_position(file, position, progress_file, target)
        batches = read_batches(file, position, "" if re_embed else header.embedding_model)
        with output.hint_to_resume("import", progress_file):
            await _store_all(
                memories,
                target,
                batches,
                tally,
                progress_file,
                total=attributes.st_size if regular else None,
                deadline=deadline,
            )
    if progress_file:
        progress_file.unlink(missing_ok=True)
    if tally.refused > _REPORTED_LINES:
        output.print_error("refused", f"{tally.refused - _REPORTED_LINES:,} more lines")
    return tally


async def _store_all(
    memories: client.Stub,
    index: str,
    batches: Iterator[Batch],
    tally: Tally,
    progress_file: Path | None,
    *,
    total: int | None,
    deadline: float,
) -> None:
    """Store the batches, count the results, and show the progress. `total` is the size of the file in bytes."""

    def store(batch: Batch) -> Coroutine[None, None, Results]:
        return _store(memories, index, batch, deadline)

    with output.progress(BarColumn(), DownloadColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=total)
        async with aclosing(_store_in_order(store, batches)) as stored:
            async for batch, results in stored:
                tally.unknown.update(batch.unknown)
                for line, request in batch.lines.items():
                    if isinstance(request, ValueError):
                        tally.count_refused(line, str(request))
                    else:
                        tally.count_result(line, results[line])
                progress.update(task, completed=batch.end.offset)
                if progress_file:
                    _save_progress(progress_file, index, batch.end)


async def _ensure_index(memories: client.Stub, header: Header, index: str, *, re_embed: bool, deadline: float) -> str:
    """Create or check the index for the embeddings; return its name."""
    request = pb.EnsureIndexRequest(index=index or header.index)
    if not re_embed:
        request.embedding_model = header.embedding_model
        request.dimension = header.dimension
    try:
        return (await memories.EnsureIndex(request, timeout=deadline)).index.name
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        client.show_error(error, "")
        model = "the server's model" if re_embed else f"{header.embedding_model}; --re-embed computes new ones"
        output.fail("hint", f"use another --index: the embeddings of the import come from {model}")


async def _store_in_order(
    store: Callable[[Batch], Coroutine[None, None, Results]], batches: Iterator[Batch]
) -> AsyncGenerator[tuple[Batch, Results], None]:
    """Yield each batch with its results in the order of the file; store several batches at once."""
    pending: deque[tuple[Batch, asyncio.Task[Results]]] = deque()
    try:
        for batch in batches:
            pending.append((batch, asyncio.create_task(store(batch))))
            if len(pending) == _CONCURRENT_BATCHES:
                first, storing = pending.popleft()
                yield first, await storing
        while pending:
            first, storing = pending.popleft()
            yield first, await storing
    finally:
        for _, storing in pending:
            storing.cancel()
        await asyncio.gather(*(storing for _, storing in pending), return_exceptions=True)


async def _store(memories: client.Stub, index: str, batch: Batch, deadline: float) -> Results:
    """Store a batch; return the results by line. Retry memories with a retryable error, which their ids make safe."""
    results: Results = {}

    async def attempt() -> None:
        remaining = {
            line: request
            for line, request in batch.lines.items()
            if isinstance(request, pb.StoreRequest) and line not in results
        }
        if not remaining:
            return
        request = pb.BatchStoreRequest(index=index, memories=remaining.values())
        received = dict(zip(remaining, (await memories.BatchStore(request, timeout=deadline)).results, strict=True))
        busy = {line: result for line, result in received.items() if result.error.code in _RETRYABLE}
        results.update((line, result) for line, result in received.items() if line not in busy)
        if busy:
            line, result = next(iter(busy.items()))
            raise grpc.aio.AioRpcError(_RETRYABLE[result.error.code], details=f"line {line}: {result.error.message}")

    await client.retry(attempt)
    return results


def _save_progress(progress_file: Path, index: str, position: Position) -> None:
    """Record that everything before this position is in the index."""
    new = progress_file.with_name(f"{progress_file.name}.new")
    new.write_text(json.dumps({"index": index, **asdict(position)}))
    new.replace(progress_file)


def _resume_position(file: BinaryIO, start: Position, progress_file: Path, index: str) -> Position:
    """Return where an interrupted import ended, or the start, and move the file there."""
    if not progress_file.exists():
        return start
    try:
        fields = json.loads(progress_file.read_bytes())
        started_for, position = fields["index"], Position(int(fields["offset"]), int(fields["line"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        output.fail(str(progress_file), "cannot be parsed: import without --resume")
    if started_for != index:
        output.fail(str(progress_file), f"is of an import into {started_for}, not {index}: import without --resume")
    file.seek(max(position.offset - 1, 0))
    if position.offset < start.offset or file.read(1) != b"\n":
        output.fail(str(progress_file), "is of another file: import without --resume")
    return position
