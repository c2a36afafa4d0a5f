"""The metrics of one server, for Prometheus. Labels are methods, codes and names of ours: their number is bounded, and
nothing that a caller chooses is among them."""

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
    """Counters and histograms that are filled as things happen. What is only looked at is in `figures`."""

    def __init__(self, service: str, methods: Mapping[str, str]) -> None:
        """`methods` are the bare names of the service's methods, each with its type, unary or server_stream."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each
        self.registry = CollectorRegistry()
        GCCollector(self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._service = service
        self._types = methods
        # The names and labels of go-grpc-prometheus, which dashboards know.
        rpc = ("grpc_type", "grpc_service", "grpc_method")
        self._started = self._counter("grpc_server_started", "Calls that came", rpc)
        self._handled = self._counter("grpc_server_handled", "Calls that ended", (*rpc, "grpc_code"))
        self._handling = self._histogram("grpc_server_handling_seconds", "From arrival to end", (*rpc, "grpc_code"))
        self._in_flight = Gauge("semantic_memory_calls_in_flight", "Calls under way", registry=self.registry)
        self._stages = self._histogram(
            "semantic_memory_stage_seconds", "Where the time of calls went", ("grpc_method", "stage")
        )
        self._errors = self._counter(
            "semantic_memory_errors", "Calls that failed, by ErrorInfo.reason", ("grpc_method", "reason")
        )
        self.engine_seconds = self._histogram(
            "semantic_memory_engine_operation_seconds", "Work of the engine, waiting for it included", ("operation",)
        )
        self.embedder_calls = self._counter(
            "semantic_memory_embedder_calls", "Texts given to the embedder, by OK or the reason", ("outcome",)
        )
        self.embedder_seconds = self._histogram("semantic_memory_embedder_seconds", "What a call of the embedder took")
        self.embedder_tokens = self._counter("semantic_memory_embedder_tokens", "Tokens that the embedder has read")
        self.loop_lag = self._histogram(
            "semantic_memory_event_loop_lag_seconds", "How late the event loop is", buckets=_LAG_BUCKETS
        )
        for method, kind in self._types.items():  # Rates need a zero to begin with.
            self._started.labels(kind, service, method)
            self._handled.labels(kind, service, method, "OK")
            for reason in (Reason.INTERNAL, Reason.OVERLOADED):
                self._errors.labels(method, reason)

    def record_start(self, call: Call) -> None:
        """A call has come."""
        self._started.labels(self._types[call.method], self._service, call.method).inc()
        self._in_flight.inc()

    def record_end(self, call: Call) -> None:
        """A call has ended."""
        labels = (self._types[call.method], self._service, call.method, _go_name(call.code))
        self._in_flight.dec()
        self._handled.labels(*labels).inc()
        self._handling.labels(*labels).observe(call.seconds)
        for stage, seconds in call.stages.items():
            self._stages.labels(call.method, stage).observe(seconds)
        if call.reason:
            self._errors.labels(call.method, call.reason).inc()

    def _counter(self, name: str, what: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, what, tuple(labels), registry=self.registry)

    def _histogram(
        self, name: str, what: str, labels: Iterable[str] = (), *, buckets: tuple[float, ...] = _BUCKETS
    ) -> Histogram:
        return Histogram(name, what, tuple(labels), buckets=buckets, registry=self.registry)


def _go_name(code: str) -> str:
    """NOT_FOUND as NotFound, which is how dashboards write it."""
    if code == "OK":
        return code
    return "Canceled" if code == "CANCELLED" else "".join(part.capitalize() for part in code.split("_"))
