"""Tables and a picture."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.peers.measure import Figures

_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
Rounds = Mapping[str, Sequence[Figures]]
"""By title, the figures of each round; ours first."""


def table(method: str, rounds: Rounds, whose: str) -> str:
    """A line for each; `whose` CPU time it tells, that of servers or of callers."""
    ours = next(iter(rounds.values()))
    quality = "recall@10" if method == "Search" else "not found"
    heads = ["calls/s", "ours over it", "one caller, ms (p99)", "ours over it", "16 callers, ms (p99)"]
    heads += [f"{whose} CPU µs", "ours over it", "all CPU µs", "ours over it", quality]
    lines = [f"| {method} | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    for title, figures in rounds.items():
        pairs = list(zip(ours, figures, strict=True))
        told = statistics.mean if method == "Search" else sum
        worth = told([one.quality for one in figures])
        cells = [
            f"{statistics.median(one.rate for one in figures):,.0f}",
            spread([us.rate / it.rate for us, it in pairs]),
            _times([one.alone for one in figures]),
            spread([us.alone[0] / it.alone[0] for us, it in pairs]),
            _times([one.together for one in figures]),
            f"{statistics.median(one.cpu for one in figures) * 1e6:,.0f}",
            spread([us.cpu / it.cpu for us, it in pairs]),
            f"{statistics.median(one.all_cpu for one in figures) * 1e6:,.0f}",
            spread([us.all_cpu / it.all_cpu for us, it in pairs]),
            f"{worth:.3f}" if method == "Search" else f"{worth:,.0f}",
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(ratios: Sequence[float]) -> str:
    """Their median, least and most."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _times(times: Sequence[tuple[float, float]]) -> str:
    median, p99 = (statistics.median(each) * 1000 for each in zip(*times, strict=True))
    return f"{median:.2f} ({p99:.1f})"


def draw(kinds: Mapping[str, Mapping[str, Rounds]], picture: Path) -> None:
    """How many times a peer's calls a second are ours, by kind of peer and method; each round a point."""
    figure = Figure(figsize=(11, 1.5 + 0.4 * sum(len(one["Search"]) for one in kinds.values())), layout="constrained")
    rows = [len(one["Search"]) for one in kinds.values()]
    axes = figure.subplots(len(kinds), 2, squeeze=False, gridspec_kw={"height_ratios": rows})
    for line, (kind, methods) in zip(axes, kinds.items(), strict=True):
        for place, (method, rounds) in zip(line, methods.items(), strict=True):
            ours = next(iter(rounds.values()))
            for row, (title, figures) in enumerate(list(rounds.items())[1:]):
                ratios = [us.rate / it.rate for us, it in zip(ours, figures, strict=True)]
                place.barh(title, statistics.median(ratios) - 1, left=1, color="C0")
                place.plot(ratios, [row] * len(ratios), "k.", markersize=4)
            place.axvline(1, color="black", linewidth=0.8)
            place.set(title=f"{kind}, {method}", xscale="log", xlabel="our calls a second over theirs", xlim=(0.08, 40))
            place.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
            place.minorticks_off()
            place.invert_yaxis()
    figure.savefig(picture, dpi=120)
