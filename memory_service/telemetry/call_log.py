"""One log line for each call."""

import random

import structlog

from memory_service.telemetry.calls import Call

_log = structlog.get_logger("memory_service.calls")

_SERVER_ERRORS = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
"""Codes that mean a failure of the server, not an error of the caller. They are logged as warnings."""


class CallLog:
    """Logs the caller, method, outcome and duration of calls; never contents or user ids."""

    def __init__(self, *, sample: float) -> None:
        """`sample` is the share of successful calls to log, 0 to 1. Failed calls are always logged."""
        self._sample = sample

    def write(self, call: Call) -> None:
        """Log a finished call."""
        if call.code == "OK" and self._sample < 1 and random.random() >= self._sample:  # noqa: S311 - no secret
            return
        fields: dict[str, object] = {"method": call.method, "code": call.code, "caller": call.caller}
        fields["ms"] = round(call.seconds * 1000, 2)
        for stage, seconds in call.stages.items():
            fields[f"{stage}_ms"] = round(seconds * 1000, 2)
        if call.results is not None:
            fields["results"] = call.results
        if call.reason:
            fields["reason"] = call.reason
        if call.cause:
            fields["cause"] = call.cause
        fields["request_id"] = call.request_id
        if call.trace_id:
            fields["trace_id"] = call.trace_id
        write = _log.warning if call.code in _SERVER_ERRORS else _log.info
        write("call", **fields)
