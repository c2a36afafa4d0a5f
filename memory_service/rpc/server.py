"""The grpc.aio server: its options, its ports, its services, and how it comes and goes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from semantic_memory.v1 import memory_service_pb2
from semantic_memory.v1.memory_service_pb2_grpc import add_MemoryServiceServicer_to_server

from memory_service.access.callers import Verifier
from memory_service.access.limits import CallLimits
from memory_service.domain.fairness import FairBudget
from memory_service.listen_address import cannot_listen, check_address
from memory_service.rpc.call_interceptor import CallInterceptor
from memory_service.rpc.readiness import ReadinessLog
from memory_service.rpc.servicer import MemoryServicer
from memory_service.rpc.sizes import MAX_MESSAGE_BYTES
from memory_service.rpc.telemetry_interceptor import TelemetryInterceptor
from memory_service.rpc.validation import RequestValidator
from memory_service.telemetry.telemetry import Telemetry

_DESCRIPTOR = memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"]
SERVICE: str = _DESCRIPTOR.full_name
METHODS: dict[str, str] = {
    one.name: "server_stream" if one.server_streaming else "unary" for one in _DESCRIPTOR.methods
}
"""The methods, each with the type that metrics give it."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_PROBE_INTERVAL = 0.5
_FAILURES_BEFORE_NOT_READY = 2
"""Failed probes in a row that make the service not ready: within two seconds, and no single slow answer does."""
_MINUTE_MS = 60_000
_EXTRA_CALLS = 100
"""Calls of health checking and reflection beside those of the service."""

OPTIONS = [
    # A batch of memories; more is refused before it is parsed.
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # Of a request that is not read yet, no more than the first 64 kB is taken from the client.
    ("grpc.http2.bdp_probe", 0),
    # The last guard: larger ones are refused before, with a reason.
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Connections end now and then, so that clients behind DNS notice new replicas; streams get the grace to end.
    ("grpc.max_connection_age_ms", 30 * _MINUTE_MS),
    ("grpc.max_connection_age_grace_ms", 5 * _MINUTE_MS),
    # A peer that has vanished is noticed within two minutes; clients may ping as often as every 30 seconds.
    ("grpc.keepalive_time_ms", 2 * _MINUTE_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_concurrent_streams", 1000),
]


class RpcServer:
    """Serves MemoryService, health checking and reflection on one port; health checking also on another, in plaintext,
    for probes that know neither TLS nor credentials."""

    def __init__(
        self,
        servicer: MemoryServicer,
        validator: RequestValidator,
        *,
        listen: str,
        health_listen: str | None,
        credentials: grpc.ServerCredentials | None,
        verifiers: Sequence[Verifier],
        limits: CallLimits,
        request_memory: FairBudget,
        telemetry: Telemetry,
        probe: Callable[[], Awaitable[None]],
        explain: Callable[[BaseException], Awaitable[str]],
        default_deadline: float,
        max_concurrent_rpcs: int,
        share_port: bool,
    ) -> None:
        """`probe` raises, within a second, while the service cannot answer: that is what readiness follows. `explain`
        puts what it raised into words for the log. Without credentials it serves in plaintext. With `share_port` other
        servers may listen there too, which do the same.

        Raises:
            OSError: the port is taken.
        """
        self.ready = False
        self.metrics_address = ""
        self._probe = probe
        self._readiness_log = ReadinessLog(explain)
        self._health = health.aio.HealthServicer()
        self._probing: asyncio.Task[None] | None = None
        # Two servers on one port share its calls silently: that is right for workers of one service alone.
        options = [*OPTIONS, ("grpc.so_reuseport", int(share_port))]
        self._server = grpc.aio.server(
            interceptors=[
                TelemetryInterceptor(SERVICE, telemetry),
                CallInterceptor(
                    SERVICE,
                    validator,
                    verifiers=verifiers,
                    limits=limits,
                    request_memory=request_memory,
                    default_deadline=default_deadline,
                ),
            ],
            options=options,
            # Above the limit of CallLimits: an overload must not look like an outage to health checks.
            maximum_concurrent_rpcs=max_concurrent_rpcs + _EXTRA_CALLS,
        )
        add_MemoryServiceServicer_to_server(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        self.address = _bind(self._server, listen, credentials, "MEMORY_LISTEN", shared=share_port)
        self._health_server: grpc.aio.Server | None = None
        self.health_address = self.address
        if health_listen is not None:
            self._health_server = grpc.aio.server(options=options, maximum_concurrent_rpcs=100)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._health_server)
            setting = "MEMORY_HEALTH_LISTEN"
            self.health_address = _bind(self._health_server, health_listen, None, setting, shared=share_port)

    async def start(self) -> None:
        """Serve. Liveness ("") holds from now on, readiness as soon as the probe succeeds."""
        await self._health.set("", _SERVING)
        await self._health.set(SERVICE, _NOT_SERVING)
        await self._server.start()
        if self._health_server is not None:
            await self._health_server.start()
        self._probing = asyncio.create_task(self._run_probe())

    async def drain(self, seconds: float) -> None:
        """Say not ready from now on and serve on for `seconds`, while load balancers notice."""
        await self._stop_probing()
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(seconds)

    async def stop(self, grace: float) -> None:
        """Take no new calls, and give those in flight `grace` seconds to end."""
        await self._stop_probing()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
        if self._health_server is not None:
            await self._health_server.stop(0)

    async def _stop_probing(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
        self._readiness_log.close()
        self.ready = False

    async def _run_probe(self) -> None:
        failures = 0
        while True:
            try:
                await self._probe()
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, calls would meet it too
                failures += 1
                if failures >= _FAILURES_BEFORE_NOT_READY:
                    await self._set_ready(False)
                    self._readiness_log.not_ready(error)
            else:
                if not self.ready:
                    await self._set_ready(True)
                    self._readiness_log.ready()
            await asyncio.sleep(0.0 if 0 < failures < _FAILURES_BEFORE_NOT_READY else _PROBE_INTERVAL)

    async def _set_ready(self, ready: bool) -> None:
        if self.ready != ready:
            self.ready = ready
            await self._health.set(SERVICE, _SERVING if ready else _NOT_SERVING)


def _bind(
    server: grpc.aio.Server, listen: str, credentials: grpc.ServerCredentials | None, setting: str, *, shared: bool
) -> str:
    """The address at which the server listens, its port being known.

    Raises OSError.
    """
    check_address(setting, listen, shared=shared)
    try:
        port = server.add_secure_port(listen, credentials) if credentials else server.add_insecure_port(listen)
    except RuntimeError as error:
        raise cannot_listen(setting, listen, OSError(str(error))) from error
    return listen if listen.startswith("unix") else f"{listen.rpartition(':')[0]}:{port}"
