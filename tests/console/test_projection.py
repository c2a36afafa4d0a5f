"""The projection for the map: PCA with a robust scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.console.projection import project


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_projection_is_pca(count: int, dimension: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # As in real embeddings, some directions have more variance than others.
    embeddings = (random.standard_normal((count, dimension)) * 0.5 ** np.arange(dimension)).astype(np.float32)
    projection = project(embeddings)
    assert projection.points.shape == (count, 2)
    assert np.isfinite(projection.points).all()
    assert np.abs(projection.points).max() <= 1 + 1e-6
    spread = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False)
    if spread[0] > 1e-5:
        assert projection.share == pytest.approx((spread[:2] ** 2).sum() / (spread**2).sum(), rel=1e-2)
        assert np.abs(projection.points).max() == pytest.approx(1)
    np.testing.assert_array_equal(project(embeddings).points, projection.points)


@pytest.mark.parametrize("count", [1, 2, 50])
def test_equal_embeddings_share_one_point(count: int) -> None:
    projection = project(np.ones((count, 8), np.float32))
    np.testing.assert_array_equal(projection.points, 0)
    assert projection.share == 1
    assert not projection.outliers.any()


def test_distant_clusters_stay_apart() -> None:
    first, second = np.eye(2, 384, dtype=np.float32)
    noise = np.random.default_rng(1).standard_normal((40, 384)).astype(np.float32) * 0.005
    points = project(np.vstack([np.tile(first, (20, 1)), np.tile(second, (20, 1))]) + noise).points
    left, right = sorted([points[:20, 0], points[20:, 0]], key=lambda one: float(one.mean()))
    assert left.max() + 0.5 < right.min()


@given(st.integers(20, 200), st.floats(10, 1e6), st.integers(0, 2**32 - 1))
def test_outlier_does_not_shrink_the_other_points(count: int, distance: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    embeddings = random.uniform(-1, 1, (count, 2)).astype(np.float32)
    embeddings[0] = [distance, distance / 3]
    projection = project(embeddings)
    distances = np.abs(projection.points).max(axis=1)
    assert projection.outliers[0]
    assert distances[0] == pytest.approx(1)
    # The others fill two thirds of the map or more, at any distance of the outlier.
    assert distances[1:].max() >= 0.66


def test_without_outliers_no_point_is_moved() -> None:
    embeddings = np.random.default_rng(0).uniform(-1, 1, (500, 2)).astype(np.float32)
    assert not project(embeddings).outliers.any()


def test_mostly_equal_embeddings_have_no_outliers() -> None:
    embeddings = np.ones((100, 8), np.float32)
    embeddings[:3] += np.eye(3, 8, dtype=np.float32)
    projection = project(embeddings)
    assert not projection.outliers.any()
    assert np.abs(projection.points).max() == pytest.approx(1)
