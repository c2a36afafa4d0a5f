"""Values of the frameworks as the metadata of a memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_PIECE = 4096
"""Bytes that one entry of metadata may hold; a memory has 32 entries."""


def to_metadata(value: Any) -> dict[str, str]:
    """The value as JSON, in pieces. In ASCII: a character is a byte, and no piece ends within one."""
    text = json.dumps(value, separators=(",", ":"))
    return {f"json.{start // _PIECE:02}": text[start : start + _PIECE] for start in range(0, len(text), _PIECE)}


def from_metadata(metadata: Mapping[str, str]) -> Any:
    """The value of such metadata."""
    return json.loads("".join(metadata[key] for key in sorted(metadata) if key.startswith("json.")))
