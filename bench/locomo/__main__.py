"""How well does each search mode find the evidence of LoCoMo's questions, and how long does it take?

    python -m bench.locomo --data locomo_turns.json [--picture bench/locomo.png] [--one-user 10000] [--valkey URL]

LoCoMo: Maharana et al., ACL 2024. Every turn is stored as `speaker: text`, embedded by the local model; the user is the
conversation. Every question is a search among its conversation's turns. The tables have, as means over questions:

- hit@k: whether some evidence turn is among the first k
- recall@10: the share of the evidence turns among the first ten
- MRR: of the first evidence turn

and the time of a query from one caller, including the embedding of its text. Then the script measures how many of the
ten nearest turns, by brute force, VECTOR finds.

With `--one-user N` it also stores copies of the turns as one user's until there are N, and compares the times of the
modes, each in turn for every question.
"""

import argparse
import contextlib
import json
import logging
from pathlib import Path
from typing import Any

import uvloop

from bench.harness.engine import embedded_engine
from bench.locomo.api import service, store, store_requests
from bench.locomo.exactness import exactness
from bench.locomo.latency import latency_table
from bench.locomo.quality import answers_by_mode, categories_table, draw, modes_table
from memory_service.logs import log_to_stderr


async def main(conversations: list[dict[str, Any]], picture: Path | None, one_user: int, url: str) -> None:
    """Store the turns, search, and print the tables."""
    async with contextlib.AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(embedded_engine())
        stub = await stack.enter_async_context(service(url))
        for conversation in conversations:
            await store(stub, store_requests(conversation, conversation["sample_id"]))
        answers = await answers_by_mode(stub, conversations)
        print(f"{len(answers['VECTOR'])} questions, turn level\n\n{modes_table(answers)}")
        print(f"\nhit@10 / recall@10 / MRR of each category\n\n{categories_table(answers)}")
        if picture is not None:
            draw(answers, picture)
        print(f"\n{await exactness(stub, conversations)}")
        if one_user:
            print(f"\n{await latency_table(stub, conversations, one_user)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench.locomo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="locomo_turns.json")
    parser.add_argument("--picture", type=Path, help="where to write the picture of recall against k (PNG)")
    parser.add_argument("--one-user", type=int, default=0, help="also compare times among this many memories of a user")
    parser.add_argument("--valkey", default="", help="the engine's URL (default: a new embedded engine)")
    args = parser.parse_args()
    log_to_stderr(logging.ERROR)
    uvloop.run(main(json.loads(args.data.read_text()), args.picture, args.one_user, args.valkey))
