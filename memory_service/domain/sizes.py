"""How much memory and how large a message memories take."""

from memory_service.domain.types import Memory

LOT = 25
"""Memories that are read from the engine at once."""
COST = 3 * 2**19
"""Bytes that reading one memory of the largest size takes at most, with its reply, its texts and its message."""
BYTES_EACH = 5
"""Bytes that a memory takes for each byte of its message, until it is sent."""
LARGEST = 4 * 2**20 - 2**17
"""Bytes of the largest memory that a message can hold beside what belongs to it."""
CONTEXT = 3_000_000
"""Bytes of the memories around one hit."""
PAGE = 3 * 2**20
"""Bytes of the memories of one page."""

_FIELD = 8
"""Bytes that the names and lengths of a text take in a message, at most."""


def message_size(memory: Memory) -> int:
    """Bytes of the memory's message, at most."""
    texts = (memory.id, memory.user_id, memory.session_id, memory.content, *memory.labels)
    pairs = sum(_size(name) + _size(value) + _FIELD for name, value in memory.metadata.items())
    return 64 + sum(map(_size, texts)) + pairs


def _size(text: str) -> int:
    return _FIELD + (len(text) if text.isascii() else len(text.encode(errors="replace")))
