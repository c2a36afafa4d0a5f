"""The tables of bench.scale, and its picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.harness.h2load import LoadResult
from bench.harness.tables import header, row
from bench.scale.measure import CALLERS, CALLERS_AT, Measurement
from bench.scale.memories import USERS

COLUMNS = (
    *("index", "memories", "KiB each", "writes/s"),
    *("median ms (p99), user of 1", "of 100", "of 10,000", "everyone"),
    *("calls/s, user of 100", "of 10,000", "everyone", "recall@10, everyone"),
)
SCOPES = (*USERS, "everyone")


def size_row(one: Measurement) -> str:
    """Format a line of the table by size."""
    times = [_times(one.alone.get(scope)) for scope in SCOPES]
    rates = [f"{one.together[scope].rate:,.0f}" if scope in one.together else "" for scope in SCOPES[1:]]
    first = (one.kind, f"{one.size:,}", f"{one.kib:.1f}", f"{one.writes:,.0f}")
    return row([*first, *times, *rates, f"{one.recall:.3f}"])


def callers_table(measurements: Sequence[Measurement]) -> str:
    """Format the table by number of callers."""
    lines = [header([f"{CALLERS_AT:,} memories", *(f"{count} callers" for count in CALLERS)])]
    for one in measurements:
        if one.callers:
            cells = [f"{result.rate:,.0f}/s, {_times(result)} ms" for result in one.callers.values()]
            lines.append(row([one.kind, *cells]))
    return "\n".join(lines)


def _times(result: LoadResult | None) -> str:
    """Format median and 99th percentile in milliseconds."""
    return "" if result is None else f"{result.median * 1000:.1f} ({result.p99 * 1000:.1f})"


def draw(measurements: Sequence[Measurement], picture: Path) -> None:
    """Draw Search's median by size, and the engine's memory by kind of index."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    times, sizes = figure.subplots(1, 2)
    kinds = list(dict.fromkeys(one.kind for one in measurements))
    for number, kind in enumerate(kinds):
        of_kind = [one for one in measurements if one.kind == kind]
        for scope, style in (("hundred", "-"), ("everyone", "--")):
            medians = [one.alone[scope].median * 1000 for one in of_kind]
            label = str(kind) if scope == "hundred" else None
            times.plot([one.size for one in of_kind], medians, style, color=f"C{number}", marker="o", label=label)
    times.set(xscale="log", yscale="log", xlabel="memories", ylabel="ms")
    times.set_title("Search, one caller's median: a user of 100 (solid), everyone (dashed)", fontsize="medium")
    times.legend(fontsize="x-small", loc="upper left")
    largest = [[one.kib for one in measurements if one.kind == kind][-1] for kind in kinds]
    sizes.barh([str(kind) for kind in kinds], largest)
    sizes.set(title="the engine's memory for each memory, KiB")
    sizes.invert_yaxis()
    figure.savefig(picture, dpi=120)
