"""The tables of bench.overhead, and its picture."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.harness.rounds import ratios, spread
from bench.harness.tables import header, row
from bench.overhead.measure import Measurement

Results = Mapping[str, Sequence[Measurement]]
"""The measurements of each variant, one a round. The first variant is the service."""


def table(method: str, results: Results) -> str:
    """Format the medians of all rounds, and the service's ratio to each variant."""
    columns = ("calls/s", "ratio", "one caller, median ms", "ratio", "server CPU us", "ratio")
    lines = [header((method, *columns))]
    service = next(iter(results.values()))
    for name, measurements in results.items():
        rate, median, cpu = (
            statistics.median(getattr(one, field) for one in measurements) for field in ("rate", "median", "cpu")
        )
        rate_ratios, median_ratios, cpu_ratios = (
            ratios([getattr(one, field) for one in service], [getattr(one, field) for one in measurements])
            for field in ("rate", "median", "cpu")
        )
        cells = [name, f"{rate:,.0f}", spread(rate_ratios)]
        cells += [f"{median * 1000:.2f}", f"{statistics.median(median_ratios):.2f}"]
        cells += ["-", "-"] if math.isnan(cpu) else [f"{cpu * 1e6:.0f}", f"{statistics.median(cpu_ratios):.2f}"]
        lines.append(row(cells))
    return "\n".join(lines)


def draw(results: Mapping[str, Results], picture: Path) -> None:
    """Draw the ratio of the service's calls a second to each variant's, with the spread of the rounds."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    for number, (method, by_variant) in enumerate(results.items()):
        axes = figure.add_subplot(1, len(results), number + 1)
        service, *others = by_variant.values()
        for place, measurements in enumerate(others):
            rates = ratios([one.rate for one in service], [one.rate for one in measurements])
            median = statistics.median(rates)
            errors = [[median - min(rates)], [max(rates) - median]]
            bar = axes.barh(place, median, xerr=errors, capsize=3)
            axes.bar_label(bar, fmt="%.2f", padding=5, fontsize=8)
        axes.axvline(1, color="grey", linestyle="--", linewidth=1)
        axes.set_yticks(range(len(others)), list(by_variant)[1:], fontsize=8)
        axes.margins(x=0.2)
        axes.set_title(f"{method}: calls/s of the service / of", fontsize=9)
    figure.savefig(picture, dpi=130)
