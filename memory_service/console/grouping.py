"""Groups of memories for the colours of the map: by content, session or label."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from semantic_memory.v1 import memory_pb2

COLOURS = 6
"""Number of groups with their own colour and shape. Readers, colour-blind ones in particular, confuse more colours."""
KINDS = ("content", "session", "label")

_ATTEMPTS = 5
_ROUNDS = 25
_PER_GROUP = 4
"""Minimum average number of memories in a group of similar content."""


@dataclass(frozen=True, slots=True)
class Group:
    """Memories that share a colour."""

    name: str
    """The session, the label, or the text of the most typical memory."""
    rows: list[int]
    typical: int
    """The row of the memory that stands for the group."""
    rest: bool = False
    """Whether the group combines all memories without their own colour, and is drawn in grey."""


def group_memories(kind: str, memories: Sequence[memory_pb2.Memory], components: NDArray[np.float32]) -> list[Group]:
    """Return at most COLOURS groups, largest first, and a last one with all remaining memories.

    Groups of similar content need only the first principal components of the embeddings, which are faster to cluster:
    they span the best separation by k-means (Ding and He, 2004)."""
    if kind == "content":
        return _by_content(memories, components)
    if kind == "session":
        keys = [memory.session_id for memory in memories]
    else:
        counts = Counter(label for memory in memories for label in memory.labels)
        # A memory with several labels counts for the most frequent one.
        keys = [max(memory.labels, key=lambda label: (counts[label], label), default="") for memory in memories]
    named = [name for name, _ in Counter(keys).most_common() if name]
    groups = [Group(name, rows, rows[0]) for name in named[:COLOURS] if (rows := _rows_of(keys, {name}))]
    smaller = named[COLOURS:]
    others = _rows_of(keys, {"", *smaller})
    if others:
        parts = [f"{len(smaller):,} other {kind}{'s' if len(smaller) > 1 else ''}"] if smaller else []
        parts += [f"no {kind}"] if "" in keys else []
        groups.append(Group(", ".join(parts), others, others[0], rest=True))
    return groups


def _rows_of(keys: Sequence[str], names: set[str]) -> list[int]:
    return [row for row, key in enumerate(keys) if key in names]


def _by_content(memories: Sequence[memory_pb2.Memory], components: NDArray[np.float32]) -> list[Group]:
    labels, centres = cluster(components, max(1, min(COLOURS, len(memories) // _PER_GROUP)))
    groups = []
    for label, centre in enumerate(centres):
        rows = np.flatnonzero(labels == label)
        if len(rows):
            typical = int(rows[((components[rows] - centre) ** 2).sum(axis=1).argmin()])
            groups.append(Group(memories[typical].content, [int(row) for row in rows], typical))
    return sorted(groups, key=lambda group: -len(group.rows))


def cluster(points: NDArray[np.float32], count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Assign each point to one of `count` clusters by k-means, and return the clusters' centres too. Equal input
    gives equal output."""
    random = np.random.default_rng(0)
    # k-means finds a local optimum, so use the best of several attempts.
    attempts = [_k_means(points, _seeds(points, count, random)) for _ in range(_ATTEMPTS)]
    return max(attempts, key=lambda one: float(_closeness(points, one[1]).max(axis=1).sum()))


def _seeds(points: NDArray[np.float32], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Initial centres by k-means++: each further one is likely to be far from those before it."""
    squares = (points**2).sum(axis=1)
    centres = points[[int(random.integers(len(points)))]]
    while len(centres) < count:
        distances = np.maximum(squares - 2 * _closeness(points, centres).max(axis=1), 0).astype(np.float64)
        weights = distances / distances.sum() if distances.sum() > 0 else None
        centres = np.vstack([centres, points[random.choice(len(points), p=weights)]])
    return centres


def _k_means(points: NDArray[np.float32], centres: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    labels = _closeness(points, centres).argmax(axis=1)
    for _ in range(_ROUNDS):
        members = (labels == np.arange(len(centres))[:, None]).astype(np.float32)
        sizes = members.sum(axis=1, keepdims=True)
        # An empty cluster keeps its centre.
        centres = np.where(sizes > 0, members @ points / np.maximum(sizes, 1), centres)
        before, labels = labels, _closeness(points, centres).argmax(axis=1)
        if (before == labels).all():
            break
    return labels, centres


def _closeness(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row per point and one column per centre: larger means closer. It is the negative squared distance, halved
    and without the point's own square, which is the same in each column."""
    closeness: NDArray[np.float32] = points @ centres.T - (centres**2).sum(axis=1) / 2
    return closeness
