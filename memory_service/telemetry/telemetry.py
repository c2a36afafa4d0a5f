"""Reports the start and the end of every call to metrics, traces and the log."""

import re
from collections.abc import Mapping
from typing import Protocol

from memory_service.telemetry.call_log import CallLog
from memory_service.telemetry.calls import Call, CallSpan, set_current_call
from memory_service.telemetry.metrics import Metrics

REQUEST_ID = "x-request-id"
"""The metadata that carries a request id, in both directions."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""The request ids that are accepted from clients. Other characters could forge log lines."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Tracer(Protocol):
    """Records spans of calls."""

    def start_span(self, method: str, metadata: Mapping[str, str | bytes]) -> CallSpan:
        """Start the span of a call, as a child of the client's span if the metadata name one."""
        ...

    def end_span(self, call: Call) -> None:
        """End the span of a finished call."""
        ...


class Telemetry:
    """Passes every call to the log and, if they are configured, to metrics and traces."""

    def __init__(self, call_log: CallLog, metrics: Metrics | None = None, tracer: Tracer | None = None) -> None:
        self._call_log = call_log
        self._metrics = metrics
        self._tracer = tracer

    def start_call(self, method: str, metadata: Mapping[str, str | bytes]) -> Call:
        """Return a new call and make it the current one."""
        call = Call(method)
        request_id = metadata.get(REQUEST_ID)
        if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
            call.request_id = request_id
        if self._tracer is not None:
            call.span = self._tracer.start_span(method, metadata)
            call.trace_id = call.span.trace_id
        elif isinstance(parent := metadata.get("traceparent"), str) and (match := _TRACEPARENT.match(parent)):
            call.trace_id = match[1]
        if self._metrics is not None:
            self._metrics.record_start(call)
        set_current_call(call)
        return call

    def finish_call(self, call: Call) -> None:
        """Record and log a call that has ended."""
        call.finish()
        if self._metrics is not None:
            self._metrics.record_end(call)
        if self._tracer is not None:
            self._tracer.end_span(call)
        self._call_log.write(call)
