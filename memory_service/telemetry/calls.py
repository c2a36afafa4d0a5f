"""The measurements of one call: its outcome, and the time that each stage took.

The current call is a context variable, like its deadline, so any code that works for a call can find it.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from memory_service.telemetry.stopwatch import Stopwatch


class Stage(StrEnum):
    """A part of a call's time."""

    EMBED = "embed"
    """Waiting for the embedder."""
    ENGINE = "engine"
    """Waiting for Valkey."""
    RANK = "rank"
    """The service's own work before the first message of a Search, mostly ranking."""
    STREAM = "stream"
    """From the first to the last message of a Search. Depends on how fast the client reads."""


class CallSpan(Protocol):
    """The trace span of one call."""

    trace_id: str

    def stage(self, stage: Stage, operation: str) -> AbstractContextManager[None]:
        """Record a child span while the context is open."""
        ...


@dataclass(slots=True)
class Call:
    """A call and its measurements so far. `method` is the name without its service, `code` a gRPC status name."""

    method: str
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    span: CallSpan | None = None
    trace_id: str = ""
    caller: str = ""
    code: str = "OK"
    reason: str = ""
    cause: str = ""
    results: int | None = None
    """Memories or indexes that the response reports; None for methods that report none."""
    seconds: float = 0.0
    stages: dict[Stage, float] = field(default_factory=dict)
    """Seconds of each stage that took place. Complete when the call has finished."""
    _started_at: float = field(default_factory=time.perf_counter)
    _first_response_at: float | None = None
    _embed: Stopwatch = field(default_factory=Stopwatch)
    _engine: Stopwatch = field(default_factory=Stopwatch)
    _dependencies: Stopwatch = field(default_factory=Stopwatch)
    """Embedder and engine together."""

    def mark_first_response(self) -> None:
        """Record that the first message of a stream is ready. Later calls of this method do nothing."""
        if self._first_response_at is None:
            self._first_response_at = time.perf_counter()
            self.stages[Stage.RANK] = self._first_response_at - self._started_at - self._dependencies.seconds

    def finish(self) -> None:
        """Complete the times."""
        now = time.perf_counter()
        self.seconds = now - self._started_at
        if self._first_response_at is not None:
            self.stages[Stage.STREAM] = now - self._first_response_at
        for stage, stopwatch in ((Stage.EMBED, self._embed), (Stage.ENGINE, self._engine)):
            if stopwatch.seconds:
                self.stages[stage] = stopwatch.seconds

    @contextmanager
    def measure(self, stage: Stage, operation: str) -> Iterator[None]:
        """Measure a wait for the embedder or the engine, while the context is open."""
        stopwatch = self._embed if stage is Stage.EMBED else self._engine
        stopwatch.start()
        self._dependencies.start()
        try:
            if self.span is None:
                yield
            else:
                with self.span.stage(stage, operation):
                    yield
        finally:
            self._dependencies.stop()
            stopwatch.stop()


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def set_current_call(call: Call) -> None:
    """Make this the current call of the running task and of all tasks that it starts."""
    _current.set(call)


def current_call() -> Call:
    """Return the current call. Outside of a call, return a new one that is not recorded."""
    return _current.get() or Call("")
