"""How much does each ranking formula improve retrieval on LoCoMo?

    python -m bench.locomo.formulas --data locomo_turns.json

The same turns, questions and metrics as `bench.locomo`, but exact scoring of all turns outside of the service, without
engine, candidates or limits: the result shows the formula alone. The service has what improved the result (HYBRID and
neighbor_weight of SearchRequest). The others stay here, so that nobody has to try them again. The last table has the
service's formula on each conversation alone.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness.tables import header, row
from bench.locomo.conversations import Array, Conversation, embed_conversation
from memory_service.domain.ranking import K1, normalize
from memory_service.embedding.local import LocalEmbedder

Formula = Callable[[Conversation, int], Array]
"""Scores every turn for the question with this number."""
METRICS = ("hit@1", "hit@10", "recall@10", "MRR")


def hybrid(
    weight: float = 0.5,
    *,
    text: float = 0.5,
    reach: int = 2,
    after: float | None = None,
    similarity: tuple[float, float] | None = None,
    k1: float = K1,
) -> Formula:
    """Return the service's formula for HYBRID, with its weights as parameters."""

    def score(c: Conversation, q: int) -> Array:
        distances = range(1, reach + 1)
        weight_after = weight if after is None else after
        spread_before = similarity or [weight ** (d + 1) for d in distances]
        spread_after = similarity or [weight_after ** (d + 1) for d in distances]
        similar = c.spread(c.cosine(q), spread_before, spread_after)
        lexical = c.bm25(q, [weight**d for d in distances], [weight_after**d for d in distances], k1)
        return (1 - text) * normalize(similar) + text * normalize(lexical)

    return score


def reciprocal(*parts: Formula) -> Formula:
    """Return the reciprocal rank fusion of these formulas, k = 60."""

    def score(c: Conversation, q: int) -> Array:
        ranks = [np.argsort(np.argsort(-part(c, q), kind="stable")) for part in parts]
        fused: Array = np.sum([1 / (60 + rank) for rank in ranks], axis=0)
        return fused

    return score


def feedback(c: Conversation, q: int) -> Array:
    """Score with the question moved towards the mean of the five best turns (Rocchio)."""
    best = np.argsort(-hybrid()(c, q))[:5]
    moved = c.questions[q] + 0.5 * c.turns[best].mean(axis=0)
    similar = c.spread(c.turns @ (moved / np.linalg.norm(moved)), [0.25, 0.125], [0.25, 0.125])
    return 0.5 * normalize(similar) + 0.5 * normalize(c.bm25(q, [0.5, 0.25]))


def turns_and_windows(c: Conversation, q: int) -> Array:
    """Score turns and windows of three turns, by embedding and by words, and sum all four."""
    window = normalize(c.in_window @ c.questions[q])
    lexical = 0.4 * normalize(c.bm25(q)) + 0.25 * normalize(c.bm25(q, [1]))
    return 0.3 * normalize(c.cosine(q)) + 0.25 * window + lexical


FORMULAS: dict[str, Formula] = {
    "meaning alone (VECTOR)": lambda c, q: c.cosine(q),
    "… embedded with the turn before": lambda c, q: c.with_previous @ c.questions[q],
    "… embedded with the turns before and after": lambda c, q: c.in_window @ c.questions[q],
    "… plus neighbors' similarity, .25 and .125": lambda c, q: c.spread(c.cosine(q), [0.25, 0.125], [0.25, 0.125]),
    "words alone (TEXT)": lambda c, q: c.bm25(q),
    "… plus neighbors' words, .5 and .25": lambda c, q: c.bm25(q, [0.5, 0.25]),
    "both, summed (HYBRID)": hybrid(reach=0),
    "both, by reciprocal rank": reciprocal(lambda c, q: c.cosine(q), lambda c, q: c.bm25(q)),
    "turns and windows, both ways, four summed": turns_and_windows,
    "HYBRID with neighbors, .5: the service's": hybrid(),
    "… neighbor_weight .3": hybrid(0.3),
    "… neighbor_weight .7": hybrid(0.7),
    "… text_weight .4": hybrid(text=0.4),
    "… text_weight .6": hybrid(text=0.6),
    "… one turn around": hybrid(reach=1),
    "… three turns around": hybrid(reach=3),
    "… what comes before counts more: .6 and .4": hybrid(0.6, after=0.4),
    "… similarity spread as far as words": hybrid(similarity=(0.5, 0.25)),
    "… similarity not spread": hybrid(similarity=(0.0, 0.0)),
    "… BM25 with k1 = 1.5": hybrid(k1=1.5),
    "… by reciprocal rank": reciprocal(
        lambda c, q: c.spread(c.cosine(q), [0.25, 0.125], [0.25, 0.125]), lambda c, q: c.bm25(q, [0.5, 0.25])
    ),
    "… and the best turns fed back": feedback,
}


def evaluate(conversations: Sequence[Conversation], formula: Formula) -> list[str]:
    """Return hit@1, hit@10, recall@10 and MRR as cells of a table."""
    values = []
    for conversation in conversations:
        for number, evidence in enumerate(conversation.evidence):
            ranks = np.argsort(np.argsort(-formula(conversation, number), kind="stable"))[evidence]
            values.append((ranks.min() < 1, ranks.min() < 10, (ranks < 10).mean(), 1 / (1 + ranks.min())))
    return [f"{mean:.3f}" for mean in np.mean(np.array(values, np.float64), axis=0)]


async def main(data: list[dict[str, Any]]) -> None:
    """Print both tables."""
    embedder = LocalEmbedder()
    conversations = [await embed_conversation(one, embedder) for one in data]
    embedder.close()
    print(header(["formula", *METRICS]))
    for name, formula in FORMULAS.items():
        print(row([name, *evaluate(conversations, formula)]), flush=True)
    print("\nThe service's formula on each conversation\n")
    print(header(["conversation", *METRICS]))
    for one, conversation in zip(data, conversations, strict=True):
        print(row([one["sample_id"], *evaluate([conversation], hybrid())]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="locomo_turns.json")
    asyncio.run(main(json.loads(parser.parse_args().data.read_text())))
