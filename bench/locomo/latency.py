"""How long each mode takes among many memories of one user."""

import itertools
import statistics
from collections.abc import Sequence
from typing import Any

from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from bench.harness.rounds import ratios, rotate
from bench.harness.tables import header, row
from bench.locomo.api import MODES, store, store_requests, timed_search
from memory_service.cli.client import Stub

USER = "everything"


async def latency_table(stub: Stub, conversations: Sequence[dict[str, Any]], count: int) -> str:
    """Store `count` memories of one user, search them in each mode in turn, and format the times."""
    await _fill(stub, conversations, count)
    questions = [question["question"] for conversation in conversations for question in conversation["qa"]][::5]
    where = memory_pb2.MemoryFilter(user_id=USER)
    seconds: dict[str, list[float]] = {name: [] for name in MODES}
    for number, question in enumerate(questions):
        for name in rotate(list(MODES), number):
            # Trailing spaces make a new text for the embedding cache, and the same text for the model.
            text = question + " " * (1 + list(MODES).index(name))
            request = pb.SearchRequest(query_text=text, filter=where, k=10, **MODES[name])
            seconds[name].append((await timed_search(stub, request))[1])
    lines = [
        f"{count} memories of one user, {len(questions)} questions, k = 10, embedding of the text included\n",
        header(["mode", "median ms", "90 % ms", "ratio to VECTOR, median of pairs"]),
    ]
    for name, times in seconds.items():
        ratio = statistics.median(ratios(times, seconds["VECTOR"]))
        median, p90 = statistics.median(times) * 1000, statistics.quantiles(times, n=10)[-1] * 1000
        lines.append(row([name, f"{median:.1f}", f"{p90:.1f}", f"{ratio:.2f}"]))
    return "\n".join(lines)


async def _fill(stub: Stub, conversations: Sequence[dict[str, Any]], count: int) -> None:
    """Store copies of all turns until there are `count`."""
    stored = 0
    for copy in itertools.count():
        for conversation in conversations:
            requests = list(store_requests(conversation, USER))[: count - stored]
            for request in requests:
                request.id = f"{copy} {conversation['sample_id']} {request.id}"
                request.session_id = f"{copy} {conversation['sample_id']} {request.session_id}"
            await store(stub, iter(requests))
            stored += len(requests)
        if stored == count:
            break
