"""Projection of embeddings onto two dimensions for the map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIRECTIONS = 8
"""Principal components to compute. The map shows two, and its groups need one fewer than there are groups."""
_ROUNDS = 12

_OUTLIER_COUNT = 20
"""With fewer memories every point counts, and none is treated as an outlier."""
_OUTLIER_QUANTILE = 0.95
_OUTLIER_FACTOR = 1.5


@dataclass(frozen=True, slots=True)
class Projection:
    """Points in the square from -1 to 1, one row per embedding."""

    points: NDArray[np.float32]
    share: float
    """Share of the variance of all embeddings that the two directions explain, 0 to 1."""
    outliers: NDArray[np.bool_]
    """Which points lie outside the square and were moved to its edge."""
    components: NDArray[np.float32]
    """The embeddings in their first principal components, not scaled."""


def project(embeddings: NDArray[np.float32]) -> Projection:
    """Project embeddings on their first two principal components (PCA). Equal input gives equal output.

    The scale is robust: it ignores the most distant 5 % of points if they are far outside the others. Otherwise a
    single outlier would shrink all other points to a dot.

    PCA runs by subspace iteration, which takes milliseconds for thousands of embeddings. A full decomposition would
    take seconds."""
    centred = embeddings - embeddings.mean(axis=0)
    directions = np.random.default_rng(0).standard_normal((embeddings.shape[1], _DIRECTIONS), np.float32)
    for _ in range(_ROUNDS):
        directions = np.linalg.qr(centred.T @ (centred @ directions))[0]
    rotated, spread, _ = np.linalg.svd(centred @ directions, full_matrices=False)

    components = rotated * spread
    flat = np.zeros((len(embeddings), 2), np.float32)
    flat[:, : len(spread)] = components[:, :2]
    # The sign of a component is arbitrary. Put the point with the largest coordinate on the positive side.
    farthest = flat[np.abs(flat).argmax(axis=0), [0, 1]]
    flat *= np.where(farthest < 0, -1, 1)
    total = float((centred**2).sum())
    if float(np.abs(flat).max()) < 1e-6:
        return Projection(np.zeros_like(flat), 1.0, np.zeros(len(flat), np.bool_), components)
    points, outliers = _fitted(flat)
    return Projection(points, min(1.0, float((spread[:2] ** 2).sum()) / total), outliers, components)


def _fitted(flat: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scale points into the square, and move outliers to its edge without changing their direction."""
    trimmed = 1 - _OUTLIER_QUANTILE if len(flat) >= _OUTLIER_COUNT else 0
    flat = flat - np.quantile(flat, [trimmed, 1 - trimmed], axis=0).mean(axis=0).astype(np.float32)
    distances = np.abs(flat).max(axis=1)
    widest = float(distances.max())
    scale = widest
    if len(flat) >= _OUTLIER_COUNT:
        limit = _OUTLIER_FACTOR * float(np.quantile(distances, _OUTLIER_QUANTILE, method="lower"))
        # Where nearly all points are equal, no limit separates outliers from the rest.
        scale = min(widest, limit) if limit > 1e-6 else widest
    outliers = distances > scale
    points: NDArray[np.float32] = flat / np.maximum(distances, np.float32(scale))[:, None]
    return points, outliers
