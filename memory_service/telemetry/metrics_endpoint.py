"""The port on which Prometheus asks for the metrics: HTTP, in a thread of its own, apart from the event loop."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from memory_service.listen_address import cannot_listen
from memory_service.telemetry.metrics import Metrics


@contextmanager
def serve_metrics(metrics: Metrics, listen: str) -> Iterator[str]:
    """Serve the metrics at /metrics while the context is open; yields the address, its port being known.

    Raises:
        OSError: the address is none, or taken.
    """
    host, _, port = listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), metrics.registry)
    except OSError as error:
        raise cannot_listen("MEMORY_METRICS_LISTEN", listen, error) from error
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
