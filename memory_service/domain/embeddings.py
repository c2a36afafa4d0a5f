"""Embeddings in requests and in the engine: packed little-endian float32."""

import math
from dataclasses import dataclass

import numpy as np

from memory_service.domain.errors import InvalidRequest, Reason, Violation, invalid
from memory_service.domain.types import Embedding

_FLOAT32 = np.dtype("<f4")

_LENGTH_TOLERANCE = 1e-6
"""An embedding whose length is this close to 1 is not scaled. Rounding to float32 alone causes up to 1e-7."""


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """The embedding of a text. `truncated`: the model read only the beginning of the text."""

    embedding: Embedding
    truncated: bool = False


def unpack_embedding(packed: bytes, *, field: str) -> Embedding:
    """Return the unit-length embedding that a caller sent in `field`. Unit-length input stays unchanged, bit for bit.

    Raises:
        InvalidRequest: the size is not a multiple of 4 bytes, or the values include NaN or infinity, or all are zero.
    """
    if not packed or len(packed) % _FLOAT32.itemsize:
        raise invalid(
            field, f"must be packed float32, 4 bytes per dimension; got {len(packed)} bytes", "embedding.size"
        )
    numbers = np.frombuffer(packed, _FLOAT32)
    # float64 neither overflows on the square of the largest float32 nor loses that of the smallest.
    wide = numbers.astype(np.float64)
    square = float(wide @ wide)
    if not math.isfinite(square):
        raise invalid(field, "must not contain NaN or infinity", "embedding.finite")
    if not square:
        raise invalid(field, "must not be all zeros: cosine similarity needs a direction", "embedding.not_zero")
    length = math.sqrt(square)
    return numbers if abs(length - 1) < _LENGTH_TOLERANCE else (wide / length).astype(np.float32)


def pack_embedding(embedding: Embedding) -> bytes:
    """Return the embedding as bytes for the engine and for messages: 4 bytes per dimension."""
    return embedding.astype(_FLOAT32, copy=False).tobytes()


def unit_length(numbers: Embedding) -> Embedding:
    """Return the vector scaled to unit length."""
    wide = numbers.astype(np.float64)
    return (wide / math.sqrt(float(wide @ wide))).astype(np.float32)


def check_dimension(embedding: Embedding, *, index: str, dimension: int, field: str) -> None:
    """Check that a caller's embedding has the dimension of the index.

    Raises:
        InvalidRequest: with reason DIMENSION_MISMATCH.
    """
    if embedding.shape[0] == dimension:
        return
    description = f"has {embedding.shape[0]} dimensions, but index {index!r} has {dimension}"
    raise InvalidRequest(
        Reason.DIMENSION_MISMATCH,
        f"{field}: {description}",
        metadata={"index": index, "dimension": str(dimension), "given": str(embedding.shape[0])},
        violations=[Violation(field, description, "embedding.dimension")],
    )
