"""The grpc.aio server: its options, its ports and its services; start, drain and stop."""

import asyncio
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
from memory_service.rpc.call_admission import CallAdmission
from memory_service.rpc.call_interceptor import CallInterceptor
from memory_service.rpc.readiness_probe import ReadinessProbe
from memory_service.rpc.servicer import MemoryServicer
from memory_service.rpc.sizes import MAX_MESSAGE_BYTES
from memory_service.rpc.telemetry_interceptor import TelemetryInterceptor
from memory_service.rpc.validation import RequestValidator
from memory_service.telemetry.telemetry import Telemetry

_DESCRIPTOR = memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"]
SERVICE: str = _DESCRIPTOR.full_name
METHODS: dict[str, str] = {
    method.name: "server_stream" if method.server_streaming else "unary" for method in _DESCRIPTOR.methods
}
"""The methods of the service, each with its type in the metrics."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_MINUTE_MS = 60_000
_CALLS_OF_OTHER_SERVICES = 100
"""Concurrent calls of health checking and reflection, in addition to the calls of the service."""

OPTIONS = [
    # A larger request is rejected before it is parsed.
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # Until the request is read, gRPC accepts only its first 64 kB from the client.
    ("grpc.http2.bdp_probe", 0),
    # A safety net: check_size rejects larger responses first, with a reason.
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # When a connection has reached its age, calls in progress get this time to finish.
    ("grpc.max_connection_age_grace_ms", 5 * _MINUTE_MS),
    # The server notices a lost client within two minutes. Clients may ping every 30 seconds.
    ("grpc.keepalive_time_ms", 2 * _MINUTE_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_concurrent_streams", 1000),
]


class RpcServer:
    """Serves MemoryService, health checking and reflection on one port.

    A second port may serve health checking in plaintext, for probes without TLS and credentials.
    """

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
        connection_age: float,
        share_port: bool,
    ) -> None:
        """Bind the ports; `start` begins to serve.

        `probe` and `explain` are those of ReadinessProbe. Without `credentials` the server speaks plaintext.
        `request_memory` is in bytes, `default_deadline` in seconds. After `connection_age` seconds, give or take a
        tenth, a connection takes no new calls. With `share_port` other workers of this service may listen on the same
        port.

        Raises:
            OSError: the server cannot listen at an address.
        """
        self.metrics_address = ""
        self._health = health.aio.HealthServicer()
        self._readiness = ReadinessProbe(probe, self._set_health, explain)
        # The kernel spreads calls over all servers on a port. This is right only for workers of the same service.
        options = [
            *OPTIONS,
            ("grpc.max_connection_age_ms", int(connection_age * 1000)),
            ("grpc.so_reuseport", int(share_port)),
        ]
        self._server = grpc.aio.server(
            interceptors=[
                TelemetryInterceptor(SERVICE, telemetry),
                CallInterceptor(
                    SERVICE,
                    CallAdmission(verifiers, limits, request_memory),
                    validator,
                    default_deadline=default_deadline,
                ),
            ],
            options=options,
            # Above the limit of CallLimits: an overload must not look like an outage to health checks.
            maximum_concurrent_rpcs=max_concurrent_rpcs + _CALLS_OF_OTHER_SERVICES,
        )
        add_MemoryServiceServicer_to_server(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        self.address = _bind(self._server, listen, credentials, "MEMORY_LISTEN", shared=share_port)
        self._health_server: grpc.aio.Server | None = None
        self.health_address = self.address
        if health_listen is not None:
            self._health_server = grpc.aio.server(options=options, maximum_concurrent_rpcs=_CALLS_OF_OTHER_SERVICES)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._health_server)
            setting = "MEMORY_HEALTH_LISTEN"
            self.health_address = _bind(self._health_server, health_listen, None, setting, shared=share_port)

    @property
    def ready(self) -> bool:
        """Whether the health check of the service reports SERVING."""
        return self._readiness.ready

    async def start(self) -> None:
        """Serve. The server ("") reports SERVING at once, the service as soon as the probe succeeds."""
        await self._health.set("", _SERVING)
        await self._set_health(False)
        await self._server.start()
        if self._health_server is not None:
            await self._health_server.start()
        self._readiness.start()

    async def drain(self, seconds: float) -> None:
        """Report NOT_SERVING and keep serving for `seconds`, so that load balancers notice."""
        await self._readiness.stop()
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(seconds)

    async def stop(self, grace: float) -> None:
        """Accept no new calls and give those in progress `grace` seconds to finish."""
        await self._readiness.stop()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
        if self._health_server is not None:
            await self._health_server.stop(0)

    async def _set_health(self, ready: bool) -> None:
        await self._health.set(SERVICE, _SERVING if ready else _NOT_SERVING)


def _bind(
    server: grpc.aio.Server, listen: str, credentials: grpc.ServerCredentials | None, setting: str, *, shared: bool
) -> str:
    """Make the server listen; return its address with the port that it got.

    Raises:
        OSError: the server cannot listen at this address.
    """
    check_address(setting, listen, shared=shared)
    try:
        port = server.add_secure_port(listen, credentials) if credentials else server.add_insecure_port(listen)
    except RuntimeError as error:
        raise cannot_listen(setting, listen, OSError(str(error))) from error
    return listen if listen.startswith("unix") else f"{listen.rpartition(':')[0]}:{port}"
