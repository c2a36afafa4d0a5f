"""Spans as a collector receives them from a real server after real calls."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, search, store_request, stub_for
from tests.support.credentials import server_with_auth, stub_with_credential
from tests.support.server_process import run_server_process

pytestmark = pytest.mark.slow

SERVICE = "semantic_memory.v1.MemoryService"


class Collector:
    """An OTLP collector on a loopback port."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[Span]:
        resources = [one for request in self.requests for one in request.resource_spans]
        return [span for one in resources for scope in one.scope_spans for span in scope.spans]

    def of(self, method: str) -> Span:
        """Return the span of the only call of this method."""
        [span] = [one for one in self.spans if one.name == f"{SERVICE}/{method}"]
        return span

    def children(self, parent: Span) -> list[Span]:
        return [one for one in self.spans if one.parent_span_id == parent.span_id]

    def text(self) -> str:
        return json.dumps([MessageToDict(one) for one in self.requests])


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    yield collector
    collector.close()


@asynccontextmanager
async def traced_stub(settings: Settings, **changes: Any) -> AsyncIterator[Stub]:
    """Open a stub of a server that has exported all spans when the context closes."""
    async with server_with_auth(settings, **changes) as server, stub_with_credential(server) as stub:
        yield stub


async def test_a_call_is_one_span_with_children_for_embedder_and_engine(
    settings: Settings, collector: Collector, user: str
) -> None:
    async with traced_stub(settings) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        await stub.Store(store_request(user, "a canary in a secret mine"), timeout=TIMEOUT)
        query = pb.SearchRequest(query_text="what bird", filter=memory_pb2.MemoryFilter(user_id=user))
        hits, _ = await search(stub, query)
    assert len(hits) == 1
    span = collector.of("Search")
    assert span.kind == Span.SPAN_KIND_SERVER
    found = attributes(span)
    assert len(found.pop("semantic_memory.request_id")) == 32
    assert found == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE}/Search",
        "rpc.response.status_code": "OK",
        "gen_ai.operation.name": "search_memory",
        "semantic_memory.results": 1,
    }
    assert span.parent_span_id == b""
    embed, engine = sorted(collector.children(span), key=lambda one: one.name)
    assert embed.name == "embeddings all-minilm-l6-v2-int8"
    assert engine.name == "valkey search"
    assert attributes(engine) == {"db.system.name": "valkey", "db.operation.name": "search"}
    for child in (embed, engine):
        assert child.trace_id == span.trace_id
        assert child.kind == Span.SPAN_KIND_CLIENT
        assert span.start_time_unix_nano <= child.start_time_unix_nano
        assert child.end_time_unix_nano <= span.end_time_unix_nano
    resource = collector.requests[0].resource_spans[0].resource
    assert {one.key: one.value.string_value for one in resource.attributes}["service.name"] == "semantic-memory"


async def test_a_span_is_a_child_of_the_callers_span(settings: Settings, collector: Collector) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    metadata = (("traceparent", f"00-{trace}-{parent}-01"),)
    async with traced_stub(settings) as stub:
        await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT, metadata=metadata)
        unsampled = (("traceparent", f"00-{trace}-{parent}-00"),)
        await stub.GetIndex(pb.GetIndexRequest(index="none"), timeout=TIMEOUT, metadata=unsampled).code()
    span = collector.of("ListIndexes")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, parent)
    # The caller chose not to sample that call.
    assert not [one for one in collector.spans if one.name.endswith("GetIndex")]


async def test_error_spans_have_code_and_reason(settings: Settings, collector: Collector) -> None:
    async with traced_stub(settings) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Get(pb.GetRequest(user_id="a", id="none"), timeout=TIMEOUT)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=0.0005)
    span = collector.of("Get")
    assert attributes(span)["rpc.response.status_code"] == "NOT_FOUND"
    assert attributes(span)["semantic_memory.reason"] == "MEMORY_NOT_FOUND"
    assert "error.type" not in attributes(span)  # It is the caller's, not the server's.


async def test_spans_contain_no_content(settings: Settings, collector: Collector, user: str) -> None:
    async with traced_stub(settings) as stub:
        item = store_request(user, "zebra content", session="zebra_session")
        item.labels.append("zebra_label")
        await stub.Store(item, timeout=TIMEOUT)
        where = memory_pb2.MemoryFilter(user_id=user, session_ids=["zebra_session"])
        await search(stub, pb.SearchRequest(query_text="zebra", filter=where, mode=pb.SEARCH_MODE_HYBRID))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Get(pb.GetRequest(user_id=user, id="zebra_id"), timeout=TIMEOUT)
    assert collector.spans
    for secret in ("zebra", user):
        assert secret not in collector.text()


async def test_an_unreachable_collector_delays_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    async with traced_stub(settings) as stub:
        await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 15


async def test_no_span_is_sent_when_traces_are_off(settings: Settings, collector: Collector) -> None:
    async with traced_stub(settings, traces=False) as stub:
        await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
    assert collector.requests == []


async def test_an_unsupported_otlp_protocol_stops_the_start_with_a_clear_error(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert collector.endpoint
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(Exception, match="OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"):
        async with traced_stub(settings):
            pass


@pytest.mark.parametrize("with_spans", [True, False])
async def test_the_log_line_has_the_callers_trace_id(collector: Collector, valkey_url: str, with_spans: bool) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with run_server_process(MEMORY_VALKEY_URL=valkey_url, MEMORY_TRACES=str(with_spans).lower()) as server_process:
        async with grpc.aio.insecure_channel(server_process.address) as channel:
            metadata = (("traceparent", f"00-{trace}-00f067aa0ba902b7-01"),)
            await stub_for(channel).ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT, metadata=metadata)
        await asyncio.to_thread(server_process.process.terminate)
        await asyncio.to_thread(server_process.process.wait, 30)
    assert [line["trace_id"] for line in server_process.call_lines("ListIndexes")] == [trace]
    assert bool(collector.spans) == with_spans
