"""Embeddings laid flat, so that a person can see them."""

import numpy as np
from numpy.typing import NDArray

_DIRECTIONS = 8
"""How many are followed to find the best two: some more make them come out fast."""
_ROUNDS = 12


def flatten(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Where each embedding lies along the two directions in which they differ most (PCA), scaled into -1 … 1, and how
    much of all their variance this shows. The same embeddings lie the same way each time.

    By subspace iteration: thousands of embeddings take milliseconds, where all their directions would take seconds."""
    centred = embeddings - embeddings.mean(axis=0)
    directions = np.random.default_rng(0).standard_normal((embeddings.shape[1], _DIRECTIONS), np.float32)
    for _ in range(_ROUNDS):
        directions = np.linalg.qr(centred.T @ (centred @ directions))[0]
    turned, spread, _ = np.linalg.svd(centred @ directions, full_matrices=False)

    flat = np.zeros((len(embeddings), 2), np.float32)
    shown = min(2, len(spread))
    flat[:, :shown] = turned[:, :shown] * spread[:shown]
    # Directions have no sign of their own: let the farthest memory lie right, and up.
    farthest = flat[np.abs(flat).argmax(axis=0), [0, 1]]
    flat *= np.where(farthest < 0, -1, 1)
    total, widest = float((centred**2).sum()), float(np.abs(flat).max())
    if widest < 1e-6:
        return np.zeros_like(flat), 1.0
    return flat / widest, min(1.0, float((spread[:2] ** 2).sum()) / total)
