"""Memory and message sizes, in bytes, and the number of memories that are read at once."""

from memory_service.domain.types import Memory

READ_BATCH = 25
"""Number of memories read from the engine at once."""
MEMORY_READ_BYTES = 3 * 2**19
"""Upper bound on the memory needed to read one memory: the engine's reply, the decoded texts and the message."""
BYTES_PER_MESSAGE_BYTE = 5
"""Memory that a stored memory occupies for each byte of its message until it is sent."""
MAX_MEMORY_BYTES = 4 * 2**20 - 2**17
"""The largest memory that fits into a gRPC message of 4 MiB together with the other fields."""
MAX_CONTEXT_BYTES = 3_000_000
"""Upper bound on the context of one hit."""
MAX_PAGE_BYTES = 3 * 2**20
"""Upper bound on the memories of one page."""

_FIELD_OVERHEAD = 8
"""Upper bound on the tag and length of one text field."""


def message_size(memory: Memory) -> int:
    """Return an upper bound on the size of the memory's protobuf message."""
    texts = (memory.id, memory.user_id, memory.session_id, memory.content, *memory.labels)
    pairs = sum(_size(name) + _size(value) + _FIELD_OVERHEAD for name, value in memory.metadata.items())
    return 64 + sum(map(_size, texts)) + pairs


def _size(text: str) -> int:
    return _FIELD_OVERHEAD + (len(text) if text.isascii() else len(text.encode(errors="replace")))
