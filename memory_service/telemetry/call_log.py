"""One line in the log for each call."""

import random

import structlog

from memory_service.telemetry.calls import Call

_log = structlog.get_logger("memory_service.calls")

_OURS = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
"""Codes by which the service, and not its caller, is in trouble."""


class Lines:
    """Writes them. Who called, what, how it ended, how long it took; never what was said, nor whose memories."""

    def __init__(self, *, sample: float) -> None:
        """`sample` is the share of successful calls that are told of; those that fail always are."""
        self._sample = sample

    def write(self, call: Call) -> None:
        """The line of a call that has ended."""
        if call.code == "OK" and self._sample < 1 and random.random() >= self._sample:  # noqa: S311 - no secret
            return
        told: dict[str, object] = {"method": call.method, "code": call.code, "caller": call.caller}
        told["ms"] = round(call.seconds * 1000, 2)
        for stage, seconds in call.stages.items():
            told[f"{stage}_ms"] = round(seconds * 1000, 2)
        if call.results is not None:
            told["results"] = call.results
        if call.reason:
            told["reason"] = call.reason
        if call.cause:
            told["cause"] = call.cause
        told["request_id"] = call.request_id
        if call.trace_id:
            told["trace_id"] = call.trace_id
        write = _log.warning if call.code in _OURS else _log.info
        write("call", **told)
