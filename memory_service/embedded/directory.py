"""Locks of a data directory: one service and one engine can use it at a time."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import IO

import structlog

from memory_service.domain.errors import FailedPrecondition, Reason

_PREVIOUS_ENGINE_TIMEOUT = 45.0
"""Seconds to wait for the engine of an earlier service. Its guard kills it sooner."""

_log = structlog.get_logger(__name__)


class DataDirInUse(FailedPrecondition):
    """Another process uses the data directory."""


def lock_for_service(data_dir: Path) -> IO[str]:
    """Create the directory and lock it for this process. The operating system releases the lock when the process exits.

    Raises:
        DataDirInUse: another service uses the directory.
        FailedPrecondition: it is not a directory, or this user may not write to it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data_dir / "lock").open("a")
    except OSError as error:
        # os.path, since Path.is_file raises where this user may not look.
        files = [one for one in (data_dir, *data_dir.parents) if os.path.isfile(one)]  # noqa: PTH113
        cause = f"{files[0]} is a file" if files else error.strerror
        raise FailedPrecondition(
            Reason.SERVER_MISCONFIGURED,
            f"MEMORY_DATA_DIR: cannot use {data_dir} as the data directory: {cause}; set it to a directory that this "
            "user can write to, for example MEMORY_DATA_DIR=/var/lib/semantic_memory",
        ) from error
    if not _try_lock(file):
        file.close()
        raise DataDirInUse(
            Reason.SERVER_MISCONFIGURED,
            f"another memory-service uses {data_dir}: stop it, or set MEMORY_DATA_DIR to another directory",
        )
    return file


async def lock_for_engine(data_dir: Path) -> IO[str]:
    """Lock the directory for an engine that inherits the file, until the guard and the engine have exited. Both may
    outlive this process.

    Raises:
        DataDirInUse: an earlier engine still has the lock after a timeout.
    """
    file = (data_dir / "engine.lock").open("a")
    os.set_inheritable(file.fileno(), True)
    try:
        if not _try_lock(file):
            _log.warning("waiting_for_previous_engine", data_dir=str(data_dir), at_most=_PREVIOUS_ENGINE_TIMEOUT)
            await _wait_for_lock(file)
    except BaseException as error:
        file.close()
        if isinstance(error, TimeoutError):
            raise DataDirInUse(
                Reason.SERVER_MISCONFIGURED,
                f"the Valkey of an earlier memory-service still uses {data_dir}: stop that valkey-server process",
            ) from error
        raise
    return file


async def _wait_for_lock(file: IO[str]) -> None:
    async with asyncio.timeout(_PREVIOUS_ENGINE_TIMEOUT):
        while not _try_lock(file):  # noqa: ASYNC110 - another process releases it
            await asyncio.sleep(0.1)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
