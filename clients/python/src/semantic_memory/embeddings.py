"""The wire format of embeddings: packed little-endian float32. Every bit is kept."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable


def pack(embedding: Iterable[float]) -> bytes:
    """Return the bytes of an embedding: of a list of numbers, an array or a numpy vector."""
    numbers = array("f", embedding)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack(packed: bytes) -> array[float]:
    """Return the numbers of a packed embedding, as an array of float32."""
    if len(packed) % 4:
        raise ValueError(f"an embedding has four bytes for each number, but this one has {len(packed)} bytes")
    numbers = array("f", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
