"""Values of the frameworks as the metadata of a memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

_PIECE = 4096
"""Bytes that one entry of metadata may have."""
_MOST_PIECES = 31
"""A memory has 32 entries; one is left for the adapter."""


def to_metadata(value: Any) -> dict[str, str]:
    """Return the value as JSON, in pieces that fit the contract.

    Raises:
        TypeError, ValueError: the value is not JSON, or too large.
    """
    # A lone surrogate becomes the escape that JSON has for it.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="backslashreplace")
    pieces: list[bytes] = []
    while text:
        end = _PIECE
        while end < len(text) and text[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        pieces.append(text[:end])
        text = text[end:]
    if len(pieces) > _MOST_PIECES:
        size = sum(map(len, pieces))
        raise ValueError(
            f"the value has {size} bytes as JSON: at most {_MOST_PIECES * _PIECE} fit, so store less of it"
        )
    return {f"json.{number:02}": piece.decode() for number, piece in enumerate(pieces)}


def from_metadata(metadata: Mapping[str, str]) -> Any:
    """Return the value of such metadata, or None where other software wrote it or a piece is damaged."""
    names = takewhile(metadata.__contains__, (f"json.{number:02}" for number in count()))
    try:
        return json.loads("".join(metadata[name] for name in names))
    except (ValueError, RecursionError):
        return None


def require_text(name: str, text: str) -> None:
    """Raise ValueError unless the text can be sent."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate at {error.start}, which UTF-8 cannot encode: remove it"
        ) from error
