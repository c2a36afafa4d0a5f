"""Embeddings on the wire: packed little-endian float32."""

import math
from dataclasses import dataclass

import numpy as np

from memory_service.domain.errors import InvalidRequest, Reason, Violation, invalid
from memory_service.domain.types import Embedding

_FLOAT32 = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """What an embedder made of a text. `truncated`: the model read only the beginning of it."""

    embedding: Embedding
    truncated: bool = False


_UNIT = 1e-6
"""How far from 1 the length of an embedding may be that is taken as it is: rounding to float32 makes up to 1e-7."""


def unpack_embedding(packed: bytes, *, field: str) -> Embedding:
    """The unit-length embedding that a caller sent in `field`; one that has unit length stays as it is, bit for bit.

    Raises:
        InvalidRequest: the bytes are no whole number of float32, or hold NaN, an infinity or only zeros.
    """
    if not packed or len(packed) % _FLOAT32.itemsize:
        raise invalid(
            field, f"must be packed float32, 4 bytes a dimension; {len(packed)} bytes given", "embedding.size"
        )
    numbers = np.frombuffer(packed, _FLOAT32)
    # In doubles neither the square of the largest float32 is lost nor that of the smallest: one pass tells all.
    wide = numbers.astype(np.float64)
    square = float(wide @ wide)
    if not math.isfinite(square):
        raise invalid(field, "must not hold NaN or infinity", "embedding.finite")
    if not square:
        raise invalid(field, "must not be all zero: cosine similarity needs a direction", "embedding.not_zero")
    length = math.sqrt(square)
    return numbers if abs(length - 1) < _UNIT else (wide / length).astype(np.float32)


def pack_embedding(embedding: Embedding) -> bytes:
    """The embedding as the engine and the wire take it: 4 bytes a dimension."""
    return embedding.astype(_FLOAT32, copy=False).tobytes()


def normalised(numbers: Embedding) -> Embedding:
    """The numbers at unit length."""
    wide = numbers.astype(np.float64)
    return (wide / math.sqrt(float(wide @ wide))).astype(np.float32)


def check_dimension(embedding: Embedding, *, index: str, dimension: int, field: str) -> None:
    """Refuse a caller's embedding that is not of the index's dimension.

    Raises:
        InvalidRequest: with reason DIMENSION_MISMATCH.
    """
    if embedding.shape[0] == dimension:
        return
    description = f"has {embedding.shape[0]} dimensions; index {index!r} has {dimension}"
    raise InvalidRequest(
        Reason.DIMENSION_MISMATCH,
        f"{field}: {description}",
        metadata={"index": index, "dimension": str(dimension), "given": str(embedding.shape[0])},
        violations=[Violation(field, description, "embedding.dimension")],
    )
