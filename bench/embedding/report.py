"""The table of bench.embedding, and its picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bench.embedding.service import Measurement
from bench.embedding.texts import LOADS
from bench.harness.tables import row

COLUMNS = (
    *("embedder", "load", "texts/s", "median ms", "p99 ms"),
    *("texts", "new texts", "model calls", "CPU ms", "lag p99 ms"),
)
PANELS = {"texts a second": "rate", "p99 of a caller, ms": "p99", "p99 of the event loop's lag, ms": "lag"}
EMBEDDERS = ("local", "bedrock")
LAG_TARGET_MS = 10


def measurement_row(one: Measurement) -> str:
    """Format a line of the table."""
    times = (f"{one.rate:,.0f}", f"{one.median:.1f}", f"{one.p99:.1f}")
    counts = (f"{one.texts:,}", f"{one.new_texts:,}", f"{one.model_calls:,}")
    return row([one.embedder, one.load, *times, *counts, f"{one.cpu:.2f}", f"{one.lag:.1f}"])


def draw(measurements: Sequence[Measurement], picture: Path) -> None:
    """Draw texts a second, the caller's p99 and the event loop's lag."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for number, (title, field) in enumerate(PANELS.items()):
        axes = figure.add_subplot(1, len(PANELS), number + 1)
        for side, embedder in enumerate(EMBEDDERS):
            heights = [getattr(one, field) for one in measurements if one.embedder == embedder]
            bars = axes.bar(np.arange(len(LOADS)) + (side - 0.5) * 0.4, heights, 0.4, label=embedder)
            axes.bar_label(bars, fmt="%.3g", fontsize=7)
        axes.set_xticks(range(len(LOADS)), list(LOADS), fontsize=8)
        axes.set_title(title, fontsize=9)
    axes.axhline(LAG_TARGET_MS, color="grey", linestyle="--", linewidth=1)
    figure.get_axes()[0].legend(fontsize=8)
    figure.savefig(picture, dpi=130)
