"""LoCoMo's conversations as arrays, for exact scoring outside of the service."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory_service.domain.ranking import K1, B
from memory_service.domain.text_analysis import query_words, stored_terms
from memory_service.embedding.local import LocalEmbedder

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Conversation:
    """Turns and questions, with embeddings and terms. Arrays have a row for each turn, or for each question."""

    sessions: list[str]
    turn_terms: list[list[str]]
    turns: Array
    with_previous: Array
    """Embeddings of each turn together with the turn before."""
    in_window: Array
    """Embeddings of each turn together with the turns before and after."""
    questions: Array
    question_terms: list[list[str]]
    evidence: list[list[int]]
    """The numbers of the evidence turns of each question."""

    def spread(self, values: Array, before: Sequence[float], after: Sequence[float]) -> Array:
        """Add to each turn's value those of the turns before and after it in its session, weighted by distance."""
        total = values.astype(np.float64)
        for distance, (earlier, later) in enumerate(zip(before, after, strict=True), 1):
            same = np.array([a == b for a, b in zip(self.sessions, self.sessions[distance:], strict=False)])
            shape = (-1, *[1] * (values.ndim - 1))
            total[distance:] += earlier * values[:-distance] * same.reshape(shape)
            total[:-distance] += later * values[distance:] * same.reshape(shape)
        return total

    def cosine(self, question: int) -> Array:
        """Return the cosine similarity of every turn."""
        similarity: Array = self.turns @ self.questions[question]
        return similarity

    def bm25(
        self, question: int, before: Sequence[float] = (), after: Sequence[float] | None = None, k1: float = K1
    ) -> Array:
        """Return BM25 of every turn, with the terms of its neighbors at these weights."""
        after = before if after is None else after
        query_terms = list(dict.fromkeys(self.question_terms[question]))
        turn_counts = [Counter(of_turn) for of_turn in self.turn_terms]
        counts = np.array([[one[term] for term in query_terms] for one in turn_counts], np.float64)
        frequency = (counts > 0).sum(axis=0)
        idf = np.log(1 + (len(counts) - frequency + 0.5) / (frequency + 0.5))
        counts = self.spread(counts, before, after)
        lengths = self.spread(np.array([len(one) for one in self.turn_terms], np.float64), before, after)
        norm = k1 * (1 - B + B * lengths / lengths.mean())
        scores: Array = (counts * (k1 + 1) / (counts + norm[:, None])) @ idf
        return scores


async def embed_conversation(conversation: dict[str, Any], embedder: LocalEmbedder) -> Conversation:
    """Embed a conversation in every way that a formula uses."""

    async def embed(texts: Sequence[str]) -> Array:
        return np.stack([(await embedder.embed(text)).embedding for text in texts]).astype(np.float64)

    texts = [f"{turn['speaker']}: {turn['text']}" for turn in conversation["turns"]]
    sessions = [turn["session"] for turn in conversation["turns"]]

    def window(place: int, before: int, after: int) -> str:
        near = range(max(0, place - before), min(len(texts), place + after + 1))
        return "\n".join(texts[other] for other in near if sessions[other] == sessions[place])

    places = {turn["dia_id"]: place for place, turn in enumerate(conversation["turns"])}
    questions = [question["question"] for question in conversation["qa"]]
    return Conversation(
        sessions=sessions,
        turn_terms=[stored_terms(text) for text in texts],
        turns=await embed(texts),
        with_previous=await embed([window(place, 1, 0) for place in range(len(texts))]),
        in_window=await embed([window(place, 1, 1) for place in range(len(texts))]),
        questions=await embed(questions),
        question_terms=[[word[0] for word in query_words(question)] for question in questions],
        evidence=[[places[id_] for id_ in question["evidence"]] for question in conversation["qa"]],
    )
