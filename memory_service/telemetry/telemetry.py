"""What happens at the beginning and the end of every call, for those who watch."""

import re
from collections.abc import Mapping
from typing import Protocol

from memory_service.telemetry.call_log import Lines
from memory_service.telemetry.calls import Call, Trace, begin
from memory_service.telemetry.metrics import Metrics

REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""Ids of callers that are taken over; in others a log could be told lies."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Tracer(Protocol):
    """Makes spans of calls."""

    def begin(self, method: str, metadata: Mapping[str, str | bytes]) -> Trace:
        """The span of a call, a child of the caller's one when the metadata tell of it."""
        ...

    def end(self, call: Call) -> None:
        """End the span of a call that has ended."""
        ...


class Telemetry:
    """Metrics, traces and log lines, each only where it is asked for."""

    def __init__(self, lines: Lines, metrics: Metrics | None = None, tracer: Tracer | None = None) -> None:
        self._lines = lines
        self._metrics = metrics
        self._tracer = tracer

    def begin(self, method: str, metadata: Mapping[str, str | bytes]) -> Call:
        """A call has come: it is the one in hand from now on."""
        call = Call(method)
        shown = metadata.get(REQUEST_ID)
        if isinstance(shown, str) and _REQUEST_ID.fullmatch(shown):
            call.request_id = shown
        if self._tracer is not None:
            call.trace = self._tracer.begin(method, metadata)
            call.trace_id = call.trace.trace_id
        elif isinstance(parent := metadata.get("traceparent"), str) and (found := _TRACEPARENT.match(parent)):
            call.trace_id = found[1]
        if self._metrics is not None:
            self._metrics.began(call)
        begin(call)
        return call

    def end(self, call: Call) -> None:
        """The call has ended."""
        call.end()
        if self._metrics is not None:
            self._metrics.ended(call)
        if self._tracer is not None:
            self._tracer.end(call)
        self._lines.write(call)
