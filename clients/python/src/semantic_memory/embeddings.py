"""Embeddings as they travel: packed little-endian float32, bit by bit."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable


def pack(embedding: Iterable[float]) -> bytes:
    """What travels for an embedding: a list of numbers, an array, a numpy vector."""
    numbers = array("f", embedding)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack(packed: bytes) -> array[float]:
    """The embedding of what travelled, as an array of float32."""
    if len(packed) % 4:
        raise ValueError(f"an embedding has four bytes for each number, not {len(packed)} bytes")
    numbers = array("f", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
