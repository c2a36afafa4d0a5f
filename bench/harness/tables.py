"""Markdown tables, as README.md has them."""

from collections.abc import Iterable, Sequence


def header(columns: Sequence[str]) -> str:
    """Format the two lines that begin a table."""
    return f"{row(columns)}\n{row(['---'] * len(columns))}"


def row(cells: Iterable[object]) -> str:
    """Format a line of a table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"
