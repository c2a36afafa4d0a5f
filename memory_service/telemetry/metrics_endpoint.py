"""The HTTP endpoint that Prometheus reads the metrics from. Runs in a thread, apart from the event loop."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from memory_service.listen_address import cannot_listen
from memory_service.telemetry.metrics import Metrics


@contextmanager
def serve_metrics(metrics: Metrics, listen: str) -> Iterator[str]:
    """Serve the metrics at /metrics while the context is open. Yield the address with the port that it got.

    Raises:
        OSError: the address is not valid, or in use.
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
