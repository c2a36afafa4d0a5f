"""What happens at the beginning and the end of every call, for those who watch."""

import re
from collections.abc import Mapping
from typing import Protocol

from memory_service.telemetry.call_log import CallLog
from memory_service.telemetry.calls import Call, CallSpan, set_current_call
from memory_service.telemetry.metrics import Metrics

REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""Ids of callers that are taken over; in others a log could be told lies."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Tracer(Protocol):
    """Makes spans of calls."""

    def start_span(self, method: str, metadata: Mapping[str, str | bytes]) -> CallSpan:
        """The span of a call, a child of the caller's one when the metadata tell of it."""
        ...

    def end_span(self, call: Call) -> None:
        """End the span of a call that has ended."""
        ...


class Telemetry:
    """Metrics, traces and log lines, each only where it is asked for."""

    def __init__(self, call_log: CallLog, metrics: Metrics | None = None, tracer: Tracer | None = None) -> None:
        self._call_log = call_log
        self._metrics = metrics
        self._tracer = tracer

    def start_call(self, method: str, metadata: Mapping[str, str | bytes]) -> Call:
        """A call has come: it is the one in hand from now on."""
        call = Call(method)
        shown = metadata.get(REQUEST_ID)
        if isinstance(shown, str) and _REQUEST_ID.fullmatch(shown):
            call.request_id = shown
        if self._tracer is not None:
            call.span = self._tracer.start_span(method, metadata)
            call.trace_id = call.span.trace_id
        elif isinstance(parent := metadata.get("traceparent"), str) and (found := _TRACEPARENT.match(parent)):
            call.trace_id = found[1]
        if self._metrics is not None:
            self._metrics.record_start(call)
        set_current_call(call)
        return call

    def finish_call(self, call: Call) -> None:
        """The call has ended."""
        call.finish()
        if self._metrics is not None:
            self._metrics.record_end(call)
        if self._tracer is not None:
            self._tracer.end_span(call)
        self._call_log.write(call)
