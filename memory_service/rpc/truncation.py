"""Truncates texts and lists of messages to a number of bytes, because gRPC limits the size of an error."""

import itertools
from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message

DETAIL_OVERHEAD_BYTES = 80
"""Upper bound on the bytes of a detail in addition to its content: the name of its type, and lengths."""
_ENTRY_OVERHEAD_BYTES = 4
_ELLIPSIS = "…".encode()

M = TypeVar("M", bound=Message)


def truncate(text: str, max_bytes: int) -> str:
    """Return the text, cut to at most `max_bytes` bytes of UTF-8. A cut text ends with an ellipsis."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= max_bytes:
        return encoded.decode()
    return encoded[: max_bytes - len(_ELLIPSIS)].decode(errors="ignore") + _ELLIPSIS.decode()


def first_that_fit(messages: Sequence[M], max_bytes: int) -> list[M]:
    """Return the first messages that fit into `max_bytes` bytes as the entries of one error detail."""
    sizes = (message.ByteSize() + _ENTRY_OVERHEAD_BYTES for message in messages)
    totals = list(itertools.accumulate(sizes, initial=DETAIL_OVERHEAD_BYTES))[1:]
    return [message for message, total in zip(messages, totals, strict=True) if total <= max_bytes]
