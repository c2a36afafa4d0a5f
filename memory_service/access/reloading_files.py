"""Files that change while the service runs: keys and certificates that are rotated, as secret mounts do it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

_log = structlog.get_logger(__name__)
_CHECK_INTERVAL = 1.0

T = TypeVar("T")


class ReloadingFiles(Generic[T]):
    """What some files hold, read again when they change. What cannot be read is reported, and the last good stays."""

    def __init__(self, paths: list[Path], read: Callable[[list[bytes]], T]) -> None:
        """Read them. Raises OSError, or what `read` raises, when they are wrong from the start."""
        self._paths = paths
        self._read = read
        self._contents = [path.read_bytes() for path in paths]
        self._value = read(self._contents)
        self._checked_at = time.monotonic()

    def value(self) -> T:
        """What the files hold, as of at most a second ago. Reads small local files, a millisecond at most."""
        if time.monotonic() - self._checked_at >= _CHECK_INTERVAL:
            self._checked_at = time.monotonic()
            try:
                contents = [path.read_bytes() for path in self._paths]
                if contents != self._contents:
                    self._value, self._contents = self._read(contents), contents
                    _log.info("file_reloaded", files=[str(path) for path in self._paths])
            except (OSError, ValueError) as error:
                _log.warning("file_not_reloaded", files=[str(path) for path in self._paths], cause=str(error))
        return self._value
