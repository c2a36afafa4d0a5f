"""Who may use a data directory: one service, and one engine at a time."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import IO

import structlog

from memory_service.domain.errors import FailedPrecondition, Reason

_LEFTOVER = 45.0
"""Seconds to wait for an engine of an earlier service: its guard kills it sooner."""

_log = structlog.get_logger(__name__)


class DataDirInUse(FailedPrecondition):
    """Another process has the data directory."""


def reserve(data_dir: Path) -> IO[str]:
    """Take the directory for this process. The operating system gives it back when the process ends, however it ends.

    Raises DataDirInUse.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (data_dir / "lock").open("a")
    if not _locked(file):
        file.close()
        raise DataDirInUse(
            Reason.SERVER_MISCONFIGURED,
            f"another memory-service uses {data_dir}: stop it, or set MEMORY_DATA_DIR to another directory",
        )
    return file


async def reserve_for_engine(data_dir: Path) -> IO[str]:
    """Take the directory for an engine that inherits the file: no other engine gets it until the guard and the engine
    have both ended, even when they outlive this process.

    Raises DataDirInUse when an engine still has it after some time.
    """
    file = (data_dir / "engine.lock").open("a")
    os.set_inheritable(file.fileno(), True)
    try:
        if not _locked(file):
            _log.warning("waiting_for_previous_engine", data_dir=str(data_dir), at_most=_LEFTOVER)
            await _until_locked(file)
    except BaseException as error:
        file.close()
        if isinstance(error, TimeoutError):
            raise DataDirInUse(
                Reason.SERVER_MISCONFIGURED,
                f"a Valkey that an earlier memory-service started still uses {data_dir}: end that valkey-server",
            ) from error
        raise
    return file


async def _until_locked(file: IO[str]) -> None:
    async with asyncio.timeout(_LEFTOVER):
        while not _locked(file):  # noqa: ASYNC110 - another process unlocks it
            await asyncio.sleep(0.1)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
