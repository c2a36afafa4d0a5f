"""The tables of bench.peers, and its picture."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.harness.rounds import ratios, spread
from bench.harness.tables import header, row
from bench.peers.plan import Measurement

_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
Results = Mapping[str, Sequence[Measurement]]
"""The measurements of each product by its title, one a round. The first product is ours."""


def table(method: str, results: Results, cpu_of: str) -> str:
    """Format the medians and ratios of one method. `cpu_of` names the process whose CPU time the table has."""
    quality = "recall@10" if method == "Search" else "not found"
    columns = ["calls/s", "ratio", "one caller, ms (p99)", "ratio", "16 callers, ms (p99)"]
    columns += [f"{cpu_of} CPU µs", "ratio", "all CPU µs", "ratio", quality]
    lines = [header([method, *columns])]
    ours = next(iter(results.values()))
    for title, measurements in results.items():
        qualities = [one.quality for one in measurements]
        cells = [
            title,
            f"{statistics.median(one.rate for one in measurements):,.0f}",
            spread(ratios([one.rate for one in ours], [one.rate for one in measurements])),
            _times([one.alone for one in measurements]),
            spread(ratios([one.alone[0] for one in ours], [one.alone[0] for one in measurements])),
            _times([one.together for one in measurements]),
            f"{statistics.median(one.cpu for one in measurements) * 1e6:,.0f}",
            spread(ratios([one.cpu for one in ours], [one.cpu for one in measurements])),
            f"{statistics.median(one.all_cpu for one in measurements) * 1e6:,.0f}",
            spread(ratios([one.all_cpu for one in ours], [one.all_cpu for one in measurements])),
            f"{statistics.mean(qualities):.3f}" if method == "Search" else f"{sum(qualities):,.0f}",
        ]
        lines.append(row(cells))
    return "\n".join(lines)


def _times(times: Sequence[tuple[float, float]]) -> str:
    median, p99 = (statistics.median(values) * 1000 for values in zip(*times, strict=True))
    return f"{median:.2f} ({p99:.1f})"


def draw(results: Mapping[str, Mapping[str, Results]], picture: Path) -> None:
    """Draw the ratio of our calls a second to each peer's, by kind of peer and method; each round is a point."""
    rows = [len(by_method["Search"]) for by_method in results.values()]
    figure = Figure(figsize=(11, 1.5 + 0.4 * sum(rows)), layout="constrained")
    panels = figure.subplots(len(results), 2, squeeze=False, gridspec_kw={"height_ratios": rows})
    for line, (kind, by_method) in zip(panels, results.items(), strict=True):
        for axes, (method, by_title) in zip(line, by_method.items(), strict=True):
            ours, *_ = by_title.values()
            for place, (title, measurements) in enumerate(list(by_title.items())[1:]):
                rates = ratios([one.rate for one in ours], [one.rate for one in measurements])
                axes.barh(title, statistics.median(rates) - 1, left=1, color="C0")
                axes.plot(rates, [place] * len(rates), "k.", markersize=4)
            axes.axvline(1, color="black", linewidth=0.8)
            axes.set(title=f"{kind}, {method}", xscale="log", xlabel="our calls a second over theirs", xlim=(0.08, 40))
            axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
            axes.minorticks_off()
            axes.invert_yaxis()
    figure.savefig(picture, dpi=120)
