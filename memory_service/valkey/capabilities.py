"""The capabilities and limits of the connected engine."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from memory_service.domain.types import EngineCapabilities

COUNT_LIMIT = 100_000
"""valkey-search counts and sorts no more results than this. RediSearch has no such limit."""
MAX_K = 10_000
"""The default limit of valkey-search for the k of one KNN search."""

_VERSION = re.compile(r"^valkey_version:(\d+)\.(\d+)\.(\d+)", re.MULTILINE)


class CapabilityDetector:
    """Detects the capabilities of an engine, once per connection."""

    def __init__(self, run: Callable[[list[str]], Awaitable[Any]], *, cluster: bool) -> None:
        self._run = run
        self._cluster = cluster
        self._pipelines_writes: bool | None = None
        self._detected_after = 0.0

    async def detect(self, last_disconnect_at: float) -> EngineCapabilities:
        """Return the capabilities. Query the engine the first time and after each disconnect."""
        if self._pipelines_writes is None or self._detected_after != last_disconnect_at:
            self._pipelines_writes = not self._cluster and _pipelines_writes(await self._run(["INFO", "SERVER"]))
            self._detected_after = last_disconnect_at
        return EngineCapabilities(COUNT_LIMIT, MAX_K, pipelines_writes=self._pipelines_writes)


def _pipelines_writes(server_info: bytes) -> bool:
    """Return whether a command may follow an indexed write in one pipeline. Valkey 9.0.0 to 9.1.1 can stall then
    (valkey#4531). In a cluster, the two commands may go to different nodes."""
    match = _VERSION.search(server_info.decode())
    version = tuple(map(int, match.groups())) if match else (0, 0, 0)
    return not (9, 0, 0) <= version < (9, 1, 2)
