"""The service's own metrics that bench.embedding reads: model calls and event loop lag."""

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Metrics:
    """Model calls so far, and the cumulative buckets of the event loop's lag by their upper bound in seconds."""

    model_calls: float
    lag: dict[float, float]

    @classmethod
    def read(cls, url: str) -> "Metrics":
        """Read the service's metrics."""
        families = text_string_to_metric_families(httpx.get(url, timeout=60).text)
        samples = [sample for family in families for sample in family.samples]
        calls = sum(sample.value for sample in samples if sample.name == "semantic_memory_embedder_calls_total")
        bucket = "semantic_memory_event_loop_lag_seconds_bucket"
        return cls(calls, {float(sample.labels["le"]): sample.value for sample in samples if sample.name == bucket})

    def since(self, earlier: "Metrics") -> "Metrics":
        """Return the difference to an earlier reading."""
        lag = {bound: count - earlier.lag[bound] for bound, count in self.lag.items()}
        return Metrics(self.model_calls - earlier.model_calls, lag)

    def lag_quantile(self, share: float) -> float:
        """Return a quantile of the lag in seconds, interpolated within its bucket, as Prometheus does."""
        rank, lower, below = share * self.lag[float("inf")], 0.0, 0.0
        for bound, count in sorted(self.lag.items()):
            if count >= rank:
                return lower if bound == float("inf") else lower + (bound - lower) * (rank - below) / (count - below)
            lower, below = bound, count
        raise AssertionError("the metrics have no bucket without an upper bound")
