"""JSON values of LangChain and LangGraph as the metadata of a memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

_MAX_PIECE = 4096
"""Bytes of one metadata value."""
_MAX_PIECES = 31
"""A memory has 32 metadata entries. The adapter uses one of them."""


def to_metadata(value: Any) -> dict[str, str]:
    """Return the value as JSON, split over metadata entries.

    Raises:
        TypeError, ValueError: the value cannot be written as JSON, or is too large.
    """
    # UTF-8 cannot encode a lone surrogate, but JSON has an escape for it.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="backslashreplace")
    pieces: list[bytes] = []
    while text:
        end = _MAX_PIECE
        while end < len(text) and text[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        pieces.append(text[:end])
        text = text[end:]
    if len(pieces) > _MAX_PIECES:
        size = sum(map(len, pieces))
        raise ValueError(
            f"the value has {size} bytes as JSON, but at most {_MAX_PIECES * _MAX_PIECE} fit: store a smaller value"
        )
    return {f"json.{number:02}": piece.decode() for number, piece in enumerate(pieces)}


def from_metadata(metadata: Mapping[str, str]) -> Any:
    """Return the value in the metadata, or None if it has none or the JSON is damaged."""
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
