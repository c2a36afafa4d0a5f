"""How far each idea moves the retrieval of LoCoMo's evidence: exact scoring of all turns, outside of the service.

    python -m bench.locomo.formulas --data PATH

The same turns, questions and measures as bench/locomo.py, without engine, candidates or limits, so that what an idea is
worth is seen by itself. What helped is in the service (HYBRID and neighbor_weight of SearchRequest); the rest is here
so that nobody has to try it again. The last table shows the chosen weights on each conversation alone.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory_service.domain.ranking import K1, B, normalize
from memory_service.domain.text_analysis import terms
from memory_service.embedding.local import LocalEmbedder

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Conversation:
    """Turns and questions, embedded and taken apart. Arrays have a row a turn, or a question."""

    sessions: list[str]
    stems: list[list[str]]
    turns: Numbers
    with_previous: Numbers
    in_window: Numbers
    questions: Numbers
    asked: list[list[str]]
    evidence: list[list[int]]

    def around(self, values: Numbers, before: Sequence[float], after: Sequence[float]) -> Numbers:
        """Values plus those of the turns before and after in the session, by distance, at these weights."""
        total = values.astype(np.float64)
        for distance, (earlier, later) in enumerate(zip(before, after, strict=True), 1):
            same = np.array([a == b for a, b in zip(self.sessions, self.sessions[distance:], strict=False)])
            shape = (-1, *[1] * (values.ndim - 1))
            total[distance:] += earlier * values[:-distance] * same.reshape(shape)
            total[:-distance] += later * values[distance:] * same.reshape(shape)
        return total

    def bm25(
        self, question: int, before: Sequence[float] = (), after: Sequence[float] | None = None, k1: float = K1
    ) -> Numbers:
        """BM25 of every turn, with its neighbors' words at these weights."""
        after = before if after is None else after
        wanted = list(dict.fromkeys(self.asked[question]))
        counted = [Counter(stems) for stems in self.stems]
        counts = np.array([[one[term] for term in wanted] for one in counted], np.float64)
        having = (counts > 0).sum(axis=0)
        rarity = np.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
        counts = self.around(counts, before, after)
        lengths = self.around(np.array([len(one) for one in self.stems], np.float64), before, after)
        norm = k1 * (1 - B + B * lengths / lengths.mean())
        scores: Numbers = (counts * (k1 + 1) / (counts + norm[:, None])) @ rarity
        return scores


Idea = Callable[[Conversation, int], Numbers]


def cosine(c: Conversation, q: int) -> Numbers:
    """Cosine similarity of the turns."""
    similar: Numbers = c.turns @ c.questions[q]
    return similar


def hybrid(
    w: float = 0.5,
    *,
    text: float = 0.5,
    reach: int = 2,
    after: float | None = None,
    similarity: tuple[float, float] | None = None,
    k1: float = K1,
) -> Idea:
    """What the service does, with its choices open."""

    def score(c: Conversation, q: int) -> Numbers:
        far = range(1, reach + 1)
        w_after = w if after is None else after
        spread = similarity or [w ** (d + 1) for d in far]
        similar = c.around(cosine(c, q), spread, similarity or [w_after ** (d + 1) for d in far])
        lexical = c.bm25(q, [w**d for d in far], [w_after**d for d in far], k1)
        return (1 - text) * normalize(similar) + text * normalize(lexical)

    return score


def reciprocal(*parts: Idea) -> Idea:
    """Reciprocal rank fusion, k = 60."""

    def score(c: Conversation, q: int) -> Numbers:
        ranks = [np.argsort(np.argsort(-part(c, q), kind="stable")) for part in parts]
        fused: Numbers = np.sum([1 / (60 + rank) for rank in ranks], axis=0)
        return fused

    return score


def feedback(c: Conversation, q: int) -> Numbers:
    """The question moved towards the mean of the five best turns (Rocchio)."""
    best = np.argsort(-hybrid()(c, q))[:5]
    moved = c.questions[q] + 0.5 * c.turns[best].mean(axis=0)
    similar = c.around(c.turns @ (moved / np.linalg.norm(moved)), [0.25, 0.125], [0.25, 0.125])
    return 0.5 * normalize(similar) + 0.5 * normalize(c.bm25(q, [0.5, 0.25]))


def windows_summed(c: Conversation, q: int) -> Numbers:
    """Turns and windows of three, by meaning and by words, all four summed."""
    window = normalize(c.in_window @ c.questions[q])
    return 0.3 * normalize(cosine(c, q)) + 0.25 * window + 0.4 * normalize(c.bm25(q)) + 0.25 * normalize(c.bm25(q, [1]))


IDEAS: dict[str, Idea] = {
    "meaning alone (VECTOR)": cosine,
    "… embedded with the turn before": lambda c, q: c.with_previous @ c.questions[q],
    "… embedded with the turns before and after": lambda c, q: c.in_window @ c.questions[q],
    "… plus neighbors' similarity, .25 and .125": lambda c, q: c.around(cosine(c, q), [0.25, 0.125], [0.25, 0.125]),
    "words alone (TEXT)": lambda c, q: c.bm25(q),
    "… plus neighbors' words, .5 and .25": lambda c, q: c.bm25(q, [0.5, 0.25]),
    "both, summed (HYBRID)": hybrid(reach=0),
    "both, by reciprocal rank": reciprocal(cosine, lambda c, q: c.bm25(q)),
    "turns and windows, both ways, four summed": windows_summed,
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
        lambda c, q: c.around(cosine(c, q), [0.25, 0.125], [0.25, 0.125]), lambda c, q: c.bm25(q, [0.5, 0.25])
    ),
    "… and the best turns fed back": feedback,
}


def measured(conversations: Sequence[Conversation], idea: Idea) -> str:
    """hit@1, hit@10, recall@10 and MRR as columns of a table."""
    rows = []
    for one in conversations:
        for number, evidence in enumerate(one.evidence):
            ranks = np.argsort(np.argsort(-idea(one, number), kind="stable"))[evidence]
            rows.append((ranks.min() < 1, ranks.min() < 10, (ranks < 10).mean(), 1 / (1 + ranks.min())))
    return " | ".join(f"{mean:.3f}" for mean in np.mean(np.array(rows, np.float64), axis=0))


async def prepared(conversation: dict[str, Any], embedder: LocalEmbedder) -> Conversation:
    """A conversation, embedded in every way that an idea asks for."""

    async def embedded(texts: Sequence[str]) -> Numbers:
        return np.stack([(await embedder.embed(one)).embedding for one in texts]).astype(np.float64)

    texts = [f"{one['speaker']}: {one['text']}" for one in conversation["turns"]]
    sessions = [one["session"] for one in conversation["turns"]]

    def window(place: int, before: int, after: int) -> str:
        near = range(max(0, place - before), min(len(texts), place + after + 1))
        return "\n".join(texts[one] for one in near if sessions[one] == sessions[place])

    places = {one["dia_id"]: place for place, one in enumerate(conversation["turns"])}
    questions = [one["question"] for one in conversation["qa"]]
    return Conversation(
        sessions=sessions,
        stems=[terms(one) for one in texts],
        turns=await embedded(texts),
        with_previous=await embedded([window(place, 1, 0) for place in range(len(texts))]),
        in_window=await embedded([window(place, 1, 1) for place in range(len(texts))]),
        questions=await embedded(questions),
        asked=[terms(one) for one in questions],
        evidence=[[places[id_] for id_ in one["evidence"]] for one in conversation["qa"]],
    )


async def main(data: list[dict[str, Any]]) -> None:
    """Print both tables."""
    embedder = LocalEmbedder()
    conversations = [await prepared(one, embedder) for one in data]
    embedder.close()
    print("| idea | hit@1 | hit@10 | recall@10 | MRR |\n| --- | --- | --- | --- | --- |")
    for name, idea in IDEAS.items():
        print(f"| {name} | {measured(conversations, idea)} |", flush=True)
    print("\nThe service's weights on each conversation\n")
    print("| conversation | hit@1 | hit@10 | recall@10 | MRR |\n| --- | --- | --- | --- | --- |")
    for one, conversation in zip(data, conversations, strict=True):
        print(f"| {one['sample_id']} | {measured([conversation], hybrid())} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="locomo_turns.json")
    asyncio.run(main(json.loads(parser.parse_args().data.read_text())))
