"""Embeddings: packing, unit length, and invalid bytes."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from memory_service.domain.embeddings import check_dimension, pack_embedding, unit_length, unpack_embedding
from memory_service.domain.errors import InvalidRequest, Reason
from memory_service.domain.types import Embedding

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = arrays.arrays(np.float32, st.integers(1, 64), elements=finite).filter(lambda one: bool(one.any()))


@given(vectors)
def test_packing_is_exact_little_endian_float32(
    vector: Embedding,
) -> None:
    assert pack_embedding(vector) == struct.pack(f"<{len(vector)}f", *vector)
    assert np.array_equal(np.frombuffer(pack_embedding(vector), "<f4"), vector)


@given(vectors)
def test_an_unpacked_embedding_has_unit_length_and_the_same_direction(
    vector: Embedding,
) -> None:
    unit = unpack_embedding(vector.astype("<f4").tobytes(), field="embedding")
    assert unit.dtype == np.float32
    assert np.linalg.norm(unit.astype(np.float64)) == pytest.approx(1, abs=1e-5)
    wide = vector.astype(np.float64)
    wide /= np.abs(wide).max()
    assert float(unit @ (wide / np.linalg.norm(wide))) == pytest.approx(1, abs=1e-5)


@given(vectors, st.floats(0.001, 1000))
def test_unit_length_ignores_the_scale(vector: Embedding, factor: float) -> None:
    tame = (vector / np.abs(vector).max()).astype(np.float32)
    assert np.allclose(unit_length(tame), unit_length((tame * np.float32(factor)).astype(np.float32)), atol=1e-4)


@given(vectors, st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_non_finite_numbers_are_refused(vector: Embedding, bad: float, data: st.DataObject) -> None:
    vector[data.draw(st.integers(0, len(vector) - 1))] = bad
    with pytest.raises(InvalidRequest) as caught:
        unpack_embedding(vector.astype("<f4").tobytes(), field="query_embedding")
    assert [one.rule for one in caught.value.violations] == ["embedding.finite"]


@given(st.binary(max_size=64).filter(lambda packed: len(packed) % 4 != 0))
def test_a_byte_count_that_is_not_a_multiple_of_four_is_refused(packed: bytes) -> None:
    with pytest.raises(InvalidRequest, match="4 bytes per dimension"):
        unpack_embedding(packed, field="embedding")


def test_an_embedding_of_zeros_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="all zero"):
        unpack_embedding(bytes(16), field="embedding")


def test_a_wrong_dimension_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_dimension(np.ones(3, np.float32), index="memory_idx", dimension=4, field="embedding")
    assert caught.value.reason == Reason.DIMENSION_MISMATCH
    assert caught.value.metadata == {"index": "memory_idx", "dimension": "4", "given": "3"}
