"""How well each mode finds the evidence turns of the questions."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.tables import header, row
from bench.locomo.api import MODES, timed_search
from memory_service.cli.client import Stub

DEPTH = 20
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}


@dataclass(frozen=True)
class Answer:
    """The ranks of a question's evidence turns, from 0, `inf` beyond DEPTH; and the seconds of the search."""

    category: int
    ranks: list[float]
    seconds: float


def hit(answers: Sequence[Answer], k: int) -> float:
    """Return the share of questions with some evidence among the first k."""
    return statistics.fmean(min(answer.ranks) < k for answer in answers)


def recall(answers: Sequence[Answer], k: int) -> float:
    """Return the mean share of a question's evidence among the first k."""
    return statistics.fmean(statistics.fmean(rank < k for rank in answer.ranks) for answer in answers)


def mrr(answers: Sequence[Answer]) -> float:
    """Return the mean of 1 / (1 + rank of the first evidence), 0 beyond DEPTH."""
    return statistics.fmean(1 / (1 + min(answer.ranks)) for answer in answers)


async def answers_by_mode(stub: Stub, conversations: Sequence[dict[str, Any]]) -> dict[str, list[Answer]]:
    """Search for every question in every mode, one after the other."""
    return {name: await _answers(stub, conversations, options) for name, options in MODES.items()}


async def _answers(stub: Stub, conversations: Sequence[dict[str, Any]], options: dict[str, Any]) -> list[Answer]:
    answers = []
    for conversation in conversations:
        where = memory_pb2.MemoryFilter(user_id=conversation["sample_id"])
        for question in conversation["qa"]:
            request = pb.SearchRequest(query_text=question["question"], filter=where, k=DEPTH, **options)
            ids, seconds = await timed_search(stub, request)
            ranks = [float(ids.index(id_)) if id_ in ids else float("inf") for id_ in question["evidence"]]
            answers.append(Answer(question["category"], ranks, seconds))
    return answers


def modes_table(answers: dict[str, list[Answer]]) -> str:
    """Format the table of modes over all questions."""
    lines = [header(["mode", "hit@1", "hit@5", "hit@10", "hit@20", "recall@10", "MRR", "ms a query"])]
    for name, of_mode in answers.items():
        # A mode that comes first embeds the questions. The cache then has them for the others.
        milliseconds = statistics.median(answer.seconds for answer in of_mode) * 1000
        hits = [f"{hit(of_mode, k):.3f}" for k in (1, 5, 10, 20)]
        lines.append(row([name, *hits, f"{recall(of_mode, 10):.3f}", f"{mrr(of_mode):.3f}", f"{milliseconds:.1f}"]))
    return "\n".join(lines)


def categories_table(answers: dict[str, list[Answer]]) -> str:
    """Format hit@10 / recall@10 / MRR of each category."""
    lines = [header(["mode", *CATEGORIES.values()])]
    for name, of_mode in answers.items():
        cells = []
        for category in CATEGORIES:
            some = [answer for answer in of_mode if answer.category == category]
            cells.append(f"{hit(some, 10):.3f} / {recall(some, 10):.3f} / {mrr(some):.3f}" if some else "-")
        lines.append(row([name, *cells]))
    return "\n".join(lines)


def draw(answers: dict[str, list[Answer]], picture: Path) -> None:
    """Draw recall against k, a line for each mode."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    depths = range(1, DEPTH + 1)
    for name, of_mode in answers.items():
        colour = {"V": "C0", "T": "C1", "H": "C2"}[name[0]]
        style = "-" if "neighbors" in name else "--"
        axes.plot(depths, [recall(of_mode, k) for k in depths], style, color=colour, label=name)
    axes.set(xlabel="k", ylabel="recall@k", ylim=(0, 1), xlim=(1, DEPTH), xticks=[1, 5, 10, 15, 20])
    axes.set_title("LoCoMo, turn level: share of the evidence among the first k", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(picture, dpi=130)
