"""The command `reindex-text`, which works on the engine itself."""

import asyncio
import contextlib
import logging

from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from memory_service.cli import output
from memory_service.cli.serving import read_settings
from memory_service.components import engine_connection
from memory_service.domain.errors import MemoryServiceError
from memory_service.logs import log_to_stderr
from memory_service.settings import Settings
from memory_service.valkey import Connections, ValkeyIndexes
from memory_service.valkey.reindexing import ReindexProgress, reindex_text


def run_reindex_text(index: str) -> None:
    """Give the memories of an index new words; print how many changed. Exits with status 1 if the engine fails."""
    settings = read_settings()
    log_to_stderr(logging.ERROR, settings.log_format)
    try:
        done = asyncio.run(_run(settings, index or settings.index))
    except MemoryServiceError as error:
        output.fail("reindex-text", f"{error.message}; run the command again to continue")
    output.console.print(f"{done.examined} keys examined, {done.changed} memories have new words")


async def _run(settings: Settings, name: str) -> ReindexProgress:
    async with contextlib.AsyncExitStack() as stack:
        connections = Connections(await engine_connection(settings, stack))
        await connections.open()
        stack.push_async_callback(connections.close)
        index = await ValkeyIndexes(connections).describe(name)
        if index is None:
            output.fail("--index", f"there is no index {name}")
        done = ReindexProgress()
        with output.progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("", total=index.memory_count)
            async for done in reindex_text(connections, index):
                progress.update(task, completed=done.examined)
        return done
