"""Metrics that are read from running objects when Prometheus scrapes them. Runs in a separate thread."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from memory_service.distribution import version

Gauge: TypeAlias = "tuple[str, Callable[[], float | None]]"
"""The help text of a metric, and the function that reads it. None means that the value is not known yet."""


class GaugeCollector(Collector):
    """Exports gauges by name. A name that ends in _total is exported as a counter."""

    def __init__(self, gauges: Mapping[str, Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their values as of now."""
        for name, (help_text, read) in self._gauges.items():
            if (value := read()) is not None:
                family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                yield family(name, help_text, value=value)
        build = GaugeMetricFamily("semantic_memory_build_info", "The running version", labels=["version"])
        build.add_metric([version()], 1)
        yield build
