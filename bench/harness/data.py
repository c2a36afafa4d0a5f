"""Embeddings and texts to measure with."""

from pathlib import Path

import numpy as np
import orjson

from memory_service.domain.types import Embedding

WORDS = [f"{first}{last}" for first in "bcdfghklmnprst" for last in ("ali", "one", "under", "ation", "ix", "ough")]


def random_embeddings(count: int, dimension: int, *, seed: int = 7) -> list[Embedding]:
    """Return random unit vectors, the same in every run."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    return list(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def locomo_texts(path: Path) -> list[str]:
    """Return the different texts of LoCoMo's turns, in the order of the file `locomo_turns.json`."""
    texts = [turn["text"] for conversation in orjson.loads(path.read_bytes()) for turn in conversation["turns"]]
    return list(dict.fromkeys(texts))
