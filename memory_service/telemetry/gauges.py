"""What Prometheus asks for and others keep: read off running objects, from a thread of its own."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from memory_service.distribution import version
from memory_service.telemetry.metrics import Metrics

_SAMPLE_INTERVAL = 0.5

Gauge: TypeAlias = "tuple[str, Callable[[], float | None]]"
"""What a number is, and how it is read; None while it is not known."""


class GaugeCollector(Collector):
    """Numbers that are read when they are asked for. A name that ends in _total is a counter's."""

    def __init__(self, gauges: Mapping[str, Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """What Prometheus shows."""
        for name, (what, read) in self._gauges.items():
            if (number := read()) is not None:
                family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                yield family(name, what, value=number)
        build = GaugeMetricFamily("semantic_memory_build_info", "The running version", labels=["version"])
        build.add_metric([version()], 1)
        yield build


async def measure_event_loop_lag(metrics: Metrics) -> None:
    """Measure how late the event loop comes back to what waits for it, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _SAMPLE_INTERVAL
        await asyncio.sleep(_SAMPLE_INTERVAL)
        metrics.loop_lag.observe(max(0.0, loop.time() - due))
