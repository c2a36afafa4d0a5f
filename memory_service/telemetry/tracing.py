"""Spans of calls for OpenTelemetry, sent by OTLP over HTTP. The standard OTEL_… variables set endpoint and sampling.

Names follow the RPC conventions 1.45. `gen_ai.operation.name` follows the GenAI conventions for memories and
embeddings. Their other attributes would reveal contents and user ids, so they are left out.

The spans are created by hand, because the OpenTelemetry instrumentations for grpc.aio stall under load.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from memory_service.distribution import version
from memory_service.domain.errors import MemoryServiceError
from memory_service.telemetry.calls import Call, Stage

_OPERATIONS = {
    "EnsureIndex": "create_memory_store",
    "DropIndex": "delete_memory_store",
    "Store": "create_memory",
    "BatchStore": "create_memory",
    "Search": "search_memory",
    "Delete": "delete_memory",
    "DeleteMatching": "delete_memory",
}
"""Operation names of the GenAI conventions, for the methods that have one."""

_SERVER_ERRORS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
"""Codes that the RPC conventions count as errors of a server."""

_EXPORT_TIMEOUT = 5.0
"""Seconds that sending a batch of spans may take."""


class OpenTelemetryCallSpan:
    """The span of one call, with child spans for its stages."""

    def __init__(self, tracer: "OpenTelemetryTracer", span: Span) -> None:
        self.span = span
        self.trace_id = format(span.get_span_context().trace_id, "032x")
        self._tracer = tracer
        self._context = set_span_in_context(span, Context())

    @contextmanager
    def stage(self, stage: Stage, operation: str) -> Iterator[None]:
        """Record a child span for a call of the embedder or the engine while the context is open."""
        if stage is Stage.EMBED:
            name = f"embeddings {operation}"
            attributes = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": operation}
        else:
            name = f"valkey {operation}"
            attributes = {"db.system.name": "valkey", "db.operation.name": operation}
        span = self._tracer.otel_tracer.start_span(name, self._context, SpanKind.CLIENT, attributes)
        try:
            yield
        except BaseException as error:
            span.set_attribute(
                "error.type", error.reason if isinstance(error, MemoryServiceError) else type(error).__name__
            )
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()


class OpenTelemetryTracer:
    """Creates spans and sends them from a separate thread. Call `close` when all calls have finished."""

    def __init__(self, service: str) -> None:
        self._service = service
        attributes = {SERVICE_VERSION: version()}
        if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in os.environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        ):
            attributes[SERVICE_NAME] = "semantic-memory"
        self._provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=_EXPORT_TIMEOUT)))
        self.otel_tracer = self._provider.get_tracer("memory_service")
        self._propagator = TraceContextTextMapPropagator()

    def start_span(self, method: str, metadata: Mapping[str, str | bytes]) -> OpenTelemetryCallSpan:
        """Start the span of a call, as a child of the client's span if the metadata have a `traceparent`."""
        carrier = {name: value for name, value in metadata.items() if isinstance(value, str)}
        attributes = {"rpc.system.name": "grpc", "rpc.method": f"{self._service}/{method}"}
        if method in _OPERATIONS:
            attributes["gen_ai.operation.name"] = _OPERATIONS[method]
        span = self.otel_tracer.start_span(
            f"{self._service}/{method}", self._propagator.extract(carrier, Context()), SpanKind.SERVER, attributes
        )
        return OpenTelemetryCallSpan(self, span)

    def end_span(self, call: Call) -> None:
        """End the span of a finished call, with its outcome."""
        if not isinstance(call.span, OpenTelemetryCallSpan):
            return
        span = call.span.span
        span.set_attribute("rpc.response.status_code", call.code)
        span.set_attribute("semantic_memory.request_id", call.request_id)
        if call.results is not None:
            span.set_attribute("semantic_memory.results", call.results)
        if call.reason:
            span.set_attribute("semantic_memory.reason", call.reason)
        if call.code in _SERVER_ERRORS:
            span.set_attribute("error.type", call.code)
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Send the remaining spans. Takes seconds at most."""
        self._provider.shutdown()
