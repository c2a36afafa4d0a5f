"""One call as operators see it: what it was, how it ended, and where its time went.

The call in hand is found by whatever works for it, through a context variable, as its deadline is.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """Where the time of a call goes."""

    EMBED = "embed"
    ENGINE = "engine"
    RANK = "rank"
    """What a Search does by itself until its first message: ranking most of all."""
    STREAM = "stream"
    """From the first message of a Search to its last, at the pace of who reads."""


class CallSpan(Protocol):
    """The span of one call."""

    trace_id: str

    def stage(self, stage: Stage, operation: str) -> AbstractContextManager[None]:
        """A child span, while the context is open."""
        ...


class Stopwatch:
    """The time during which at least one was at work: what runs side by side counts once."""

    __slots__ = ("_since", "_working", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = 0.0
        self._working = 0

    def start(self) -> None:
        """One more is at work."""
        if not self._working:
            self._since = time.perf_counter()
        self._working += 1

    def stop(self) -> None:
        """One has ended."""
        self._working -= 1
        if not self._working:
            self.seconds += time.perf_counter() - self._since


@dataclass(slots=True)
class Call:
    """A call, filled in as it goes. `method` is the bare name, `code` gRPC's name of the status."""

    method: str
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    span: CallSpan | None = None
    trace_id: str = ""
    caller: str = ""
    code: str = "OK"
    reason: str = ""
    cause: str = ""
    results: int | None = None
    """Memories or indexes that the answer tells of."""
    seconds: float = 0.0
    stages: dict[Stage, float] = field(default_factory=dict)
    """Seconds in each stage that there was; complete when the call has ended."""
    _started_at: float = field(default_factory=time.perf_counter)
    _first_response_at: float | None = None
    _embed: Stopwatch = field(default_factory=Stopwatch)
    _engine: Stopwatch = field(default_factory=Stopwatch)
    _dependencies: Stopwatch = field(default_factory=Stopwatch)

    def mark_first_response(self) -> None:
        """The first message of a stream is there."""
        if self._first_response_at is None:
            self._first_response_at = time.perf_counter()
            self.stages[Stage.RANK] = self._first_response_at - self._started_at - self._dependencies.seconds

    def finish(self) -> None:
        """The call is over."""
        now = time.perf_counter()
        self.seconds = now - self._started_at
        if self._first_response_at is not None:
            self.stages[Stage.STREAM] = now - self._first_response_at
        for stage, watch in ((Stage.EMBED, self._embed), (Stage.ENGINE, self._engine)):
            if watch.seconds:
                self.stages[stage] = watch.seconds

    @contextmanager
    def measure(self, stage: Stage, operation: str) -> Iterator[None]:
        """Work that others do for this call, while the context is open."""
        watch = self._embed if stage is Stage.EMBED else self._engine
        watch.start()
        self._dependencies.start()
        try:
            if self.span is None:
                yield
            else:
                with self.span.stage(stage, operation):
                    yield
        finally:
            self._dependencies.stop()
            watch.stop()


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def set_current_call(call: Call) -> None:
    """Let this be the call in hand, for the current task and all that it starts."""
    _current.set(call)


def current_call() -> Call:
    """The call in hand; outside of any, one that nobody looks at."""
    return _current.get() or Call("")
