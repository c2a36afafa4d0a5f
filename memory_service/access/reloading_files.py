"""Files that may change while the service runs, such as keys and certificates from rotated secret mounts."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

_log = structlog.get_logger(__name__)
_CHECK_INTERVAL = 1.0
"""Seconds between two checks for changes."""

T = TypeVar("T")


class ReloadingFiles(Generic[T]):
    """The parsed content of files, parsed again when they change.

    When a change cannot be read or parsed, it is logged and the last valid value stays.
    """

    def __init__(self, paths: list[Path], parse: Callable[[list[bytes]], T]) -> None:
        """Read the files. `parse` gets their contents in the order of `paths`.

        Raises:
            OSError: a file cannot be read.
            ValueError: `parse` refuses the contents.
        """
        self._paths = paths
        self._parse = parse
        self._contents = [path.read_bytes() for path in paths]
        self._value = parse(self._contents)
        self._checked_at = time.monotonic()

    def value(self) -> T:
        """Return the value, at most one second old. Reads small local files, which blocks for a millisecond at most."""
        if time.monotonic() - self._checked_at >= _CHECK_INTERVAL:
            self._checked_at = time.monotonic()
            try:
                contents = [path.read_bytes() for path in self._paths]
                if contents != self._contents:
                    self._value, self._contents = self._parse(contents), contents
                    _log.info("file_reloaded", files=[str(path) for path in self._paths])
            except (OSError, ValueError) as error:
                _log.warning("file_not_reloaded", files=[str(path) for path in self._paths], cause=str(error))
        return self._value
