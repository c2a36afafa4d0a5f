"""The map's projection: what PCA says, scaled, and the same each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.console.projection import flatten


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_it_is_pca(count: int, dimension: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Some directions matter more than others, as they do in embeddings.
    embeddings = (random.standard_normal((count, dimension)) * 0.5 ** np.arange(dimension)).astype(np.float32)
    flat, share = flatten(embeddings)
    assert flat.shape == (count, 2)
    assert np.isfinite(flat).all()
    assert np.abs(flat).max() <= 1 + 1e-6
    spread = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False)
    if spread[0] > 1e-5:
        assert share == pytest.approx((spread[:2] ** 2).sum() / (spread**2).sum(), rel=1e-2)
        assert np.abs(flat).max() == pytest.approx(1)
    np.testing.assert_array_equal(flatten(embeddings)[0], flat)


@pytest.mark.parametrize("count", [1, 2, 50])
def test_equal_embeddings_lie_at_one_place(count: int) -> None:
    flat, share = flatten(np.ones((count, 8), np.float32))
    np.testing.assert_array_equal(flat, 0)
    assert share == 1


def test_what_lies_apart_comes_out_apart() -> None:
    here, there = np.eye(2, 384, dtype=np.float32)
    noise = np.random.default_rng(1).standard_normal((40, 384)).astype(np.float32) * 0.005
    flat, _ = flatten(np.vstack([np.tile(here, (20, 1)), np.tile(there, (20, 1))]) + noise)
    left, right = sorted([flat[:20, 0], flat[20:, 0]], key=lambda one: float(one.mean()))
    assert left.max() + 0.5 < right.min()
