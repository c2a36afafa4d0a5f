"""Groups of the map: k-means of points, sessions and labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2

from memory_service.console.grouping import COLOURS, KINDS, cluster, group_memories


@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_every_point_is_in_the_cluster_of_the_nearest_centre(count: int, clusters: int, seed: int) -> None:
    points = np.random.default_rng(seed).standard_normal((count, 5)).astype(np.float32)
    labels, centres = cluster(points, clusters)
    assert labels.shape == (count,)
    distances = np.linalg.norm(points[:, None] - centres, axis=2)
    np.testing.assert_allclose(distances[np.arange(count), labels], distances.min(axis=1), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(cluster(points, clusters)[0], labels)


def test_separate_clusters_are_recovered() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, 200)
    points = (np.eye(4, 32)[truth] + random.normal(0, 0.02, (200, 32))).astype(np.float32)
    labels, _ = cluster(points, 4)
    assert len({(int(a), int(b)) for a, b in zip(truth, labels, strict=True)}) == 4


def test_equal_points_make_one_cluster() -> None:
    labels, _ = cluster(np.ones((10, 3), np.float32), 3)
    assert len(set(labels.tolist())) == 1


@pytest.mark.parametrize("kind", KINDS)
@given(keys=st.lists(st.sampled_from(["", *"abcdefghij"]), min_size=1, max_size=60))
def test_every_memory_is_in_one_group(kind: str, keys: list[str]) -> None:
    memories = [memory_pb2.Memory(session_id=key, labels=[key] if key else [], content=f"about {key}") for key in keys]
    points = np.random.default_rng(0).standard_normal((len(keys), 4)).astype(np.float32)
    groups = group_memories(kind, memories, points)
    assert sorted(row for group in groups for row in group.rows) == list(range(len(keys)))
    assert len(groups) <= COLOURS + 1
    assert all(group.rows and group.typical in group.rows for group in groups)
    assert [group.rest for group in groups[:-1]] == [False] * (len(groups) - 1)
    sizes = [len(group.rows) for group in groups if not group.rest]
    assert sizes == sorted(sizes, reverse=True)


def test_memory_with_several_labels_counts_for_the_most_frequent() -> None:
    memories = [memory_pb2.Memory(labels=labels) for labels in (["rare", "common"], ["common"], [])]
    first, rest = group_memories("label", memories, np.zeros((3, 2), np.float32))
    assert (first.name, first.rows) == ("common", [0, 1])
    assert (rest.name, rest.rows, rest.rest) == ("no label", [2], True)
