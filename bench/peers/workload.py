"""The same texts, vectors, users and queries for everyone. Standard library and numpy only: children import it too."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

K = 10
USERS = 20


@dataclass(frozen=True)
class Workload:
    """Memories to begin with, memories that are stored while the time is taken, and queries; all with unit vectors.

    The stored ones belong to users of their own, so that the queries' users keep their memories.
    """

    texts: Sequence[str]
    vectors: NDArray[np.float32]
    filled: int
    """So many memories, from the first, are there before anything is measured."""
    stored: int
    """So many that follow are stored; all others are queries."""

    @property
    def queries(self) -> range:
        """The numbers of the queries."""
        return range(self.filled + self.stored, len(self.texts))

    def user(self, number: int) -> str:
        """Whose the memory of this number is, or in whose memories this query looks."""
        kind = "writer" if self.filled <= number < self.filled + self.stored else "reader"
        return f"{kind}{number % USERS:02}"  # No name begins another: one peer cannot tell those apart.

    def nearest(self, query: int) -> set[str]:
        """The ids of the true nearest within the query's user."""
        mine = np.arange(query % USERS, self.filled, USERS)
        return {name(number) for number in mine[np.argsort(-(self.vectors[mine] @ self.vectors[query]))[:K]]}

    def recall(self, queries: Sequence[int], found: Sequence[Sequence[str]]) -> float:
        """The share of the true nearest among those found."""
        right = sum(len(self.nearest(query) & set(ids)) for query, ids in zip(queries, found, strict=True))
        return right / K / len(queries)

    def save(self, folder: Path) -> None:
        """For a child to read."""
        np.save(folder / "vectors.npy", self.vectors)
        (folder / "workload.json").write_text(
            json.dumps({"texts": list(self.texts), "filled": self.filled, "stored": self.stored})
        )

    @classmethod
    def load(cls, folder: Path) -> "Workload":
        """What was saved."""
        told = json.loads((folder / "workload.json").read_text())
        return cls(told["texts"], np.load(folder / "vectors.npy"), told["filled"], told["stored"])


def name(number: int) -> str:
    """The id of a memory."""
    return f"m{number}"


def synthetic(count: int, dimension: int) -> tuple[list[str], NDArray[np.float32]]:
    """Texts of twelve words, each its own, and unit vectors around as many centres as make neighbourhoods of twenty."""
    random = np.random.default_rng(7)
    words = [f"{first}{last}" for first in "bcdfghklmnprst" for last in ("ali", "one", "under", "ation", "ix", "ough")]
    texts = [f"{number} {' '.join(random.choice(words, 12))}" for number in range(count)]
    centres = random.standard_normal((count // 20 + 1, dimension), np.float32)
    vectors = centres[random.integers(len(centres), size=count)]
    vectors = vectors + 0.7 * random.standard_normal((count, dimension), np.float32)
    return texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
