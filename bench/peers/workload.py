"""The same texts, vectors, users and queries for every product.

This module imports the standard library and numpy only: the libraries' environments have no more.
"""

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
    """Numbered texts with unit vectors: first the initial memories, then those that the rounds store, then the queries.

    The rounds store memories of other users, so that a query's user keeps the same memories.
    """

    texts: Sequence[str]
    vectors: NDArray[np.float32]
    initial: int
    """How many memories are stored before anything is measured."""
    stored: int
    """How many memories all rounds store together."""

    @property
    def queries(self) -> range:
        """The numbers of the queries."""
        return range(self.initial + self.stored, len(self.texts))

    def user(self, number: int) -> str:
        """Return the user of this memory, or the user within whose memories this query searches."""
        kind = "writer" if self.initial <= number < self.initial + self.stored else "reader"
        return f"{kind}{number % USERS:02}"  # No name is a prefix of another: one peer cannot tell those apart.

    def nearest(self, query: int) -> set[str]:
        """Return the ids of the true nearest memories of the query's user."""
        of_user = np.arange(query % USERS, self.initial, USERS)
        order = np.argsort(-(self.vectors[of_user] @ self.vectors[query]))
        return {memory_id(number) for number in of_user[order[:K]]}

    def recall(self, queries: Sequence[int], results: Sequence[Sequence[str]]) -> float:
        """Return the share of the true nearest among the ids in the results."""
        correct = sum(len(self.nearest(query) & set(ids)) for query, ids in zip(queries, results, strict=True))
        return correct / K / len(queries)

    def save(self, folder: Path) -> None:
        """Write the workload, for a worker to load."""
        np.save(folder / "vectors.npy", self.vectors)
        (folder / "workload.json").write_text(
            json.dumps({"texts": list(self.texts), "initial": self.initial, "stored": self.stored})
        )

    @classmethod
    def load(cls, folder: Path) -> "Workload":
        """Read what `save` wrote."""
        fields = json.loads((folder / "workload.json").read_text())
        return cls(fields["texts"], np.load(folder / "vectors.npy"), fields["initial"], fields["stored"])


def memory_id(number: int) -> str:
    """Return the id of a memory."""
    return f"m{number}"


def synthetic(count: int, dimension: int) -> tuple[list[str], NDArray[np.float32]]:
    """Return different texts of twelve words, and unit vectors around random centres, about twenty around each."""
    random = np.random.default_rng(7)
    words = [f"{first}{last}" for first in "bcdfghklmnprst" for last in ("ali", "one", "under", "ation", "ix", "ough")]
    texts = [f"{number} {' '.join(random.choice(words, 12))}" for number in range(count)]
    centres = random.standard_normal((count // 20 + 1, dimension), np.float32)
    vectors = centres[random.integers(len(centres), size=count)]
    vectors = vectors + 0.7 * random.standard_normal((count, dimension), np.float32)
    return texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
