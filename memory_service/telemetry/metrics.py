"""The metrics of one server, for Prometheus.

Labels are methods, codes and names of this service, never values that a caller chooses, so their number is limited.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from memory_service.domain.errors import Reason
from memory_service.telemetry.calls import Call

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """Counters and histograms that are updated when something happens. Metrics read on demand are in gauges.py."""

    def __init__(self, service: str, methods: Mapping[str, str]) -> None:
        """`methods` maps the methods of the service to their types, unary or server_stream."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it doubles the series
        self.registry = CollectorRegistry()
        GCCollector(self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._service = service
        self._types = methods
        # The names and labels of go-grpc-prometheus, which common dashboards expect.
        rpc_labels = ("grpc_type", "grpc_service", "grpc_method")
        self._started = self._counter("grpc_server_started", "Calls received", rpc_labels)
        handled_labels = (*rpc_labels, "grpc_code")
        self._handled = self._counter("grpc_server_handled", "Calls finished", handled_labels)
        self._handling = self._histogram("grpc_server_handling_seconds", "Duration of calls", handled_labels)
        self._in_flight = Gauge("semantic_memory_calls_in_flight", "Calls in progress", registry=self.registry)
        self._stages = self._histogram(
            "semantic_memory_stage_seconds", "Duration of stages of calls", ("grpc_method", "stage")
        )
        self._errors = self._counter(
            "semantic_memory_errors", "Calls that failed, by ErrorInfo.reason", ("grpc_method", "reason")
        )
        self.engine_seconds = self._histogram(
            "semantic_memory_engine_operation_seconds",
            "Duration of engine operations with their queueing",
            ("operation",),
        )
        self.embedder_calls = self._counter(
            "semantic_memory_embedder_calls", "Calls of the embedder, by OK or the reason of the failure", ("outcome",)
        )
        self.embedder_seconds = self._histogram("semantic_memory_embedder_seconds", "Duration of calls of the embedder")
        self.embedder_tokens = self._counter("semantic_memory_embedder_tokens", "Tokens read by the embedder")
        self.loop_lag = self._histogram(
            "semantic_memory_event_loop_lag_seconds",
            "Delay of the event loop",
            buckets=_LAG_BUCKETS,
        )
        for method, type_ in self._types.items():  # A rate needs a first value of zero.
            self._started.labels(type_, service, method)
            self._handled.labels(type_, service, method, "OK")
            for reason in (Reason.INTERNAL, Reason.OVERLOADED):
                self._errors.labels(method, reason)

    def record_start(self, call: Call) -> None:
        """Count a call that has started."""
        self._started.labels(self._types[call.method], self._service, call.method).inc()
        self._in_flight.inc()

    def record_end(self, call: Call) -> None:
        """Count a finished call, with its duration, stages and reason."""
        labels = (self._types[call.method], self._service, call.method, _go_name(call.code))
        self._in_flight.dec()
        self._handled.labels(*labels).inc()
        self._handling.labels(*labels).observe(call.seconds)
        for stage, seconds in call.stages.items():
            self._stages.labels(call.method, stage).observe(seconds)
        if call.reason:
            self._errors.labels(call.method, call.reason).inc()

    def _counter(self, name: str, help_text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, help_text, tuple(labels), registry=self.registry)

    def _histogram(
        self, name: str, help_text: str, labels: Iterable[str] = (), *, buckets: tuple[float, ...] = _BUCKETS
    ) -> Histogram:
        return Histogram(name, help_text, tuple(labels), buckets=buckets, registry=self.registry)


def _go_name(code: str) -> str:
    """Return a code as go-grpc-prometheus writes it: NotFound for NOT_FOUND."""
    if code == "OK":
        return code
    return "Canceled" if code == "CANCELLED" else "".join(part.capitalize() for part in code.split("_"))
