"""How large messages may be."""

from google.protobuf.message import Message

from memory_service.domain.errors import response_too_large

MAX_MESSAGE_BYTES = 4 * 2**20
"""Bytes of a message, of requests and responses: what clients and servers of gRPC take unless told otherwise."""
_HEADROOM_BYTES = 2**16


def check_size(response: Message) -> None:
    """Refuse to send what clients would not take.

    Raises:
        ResourceExhausted: with reason RESPONSE_TOO_LARGE.
    """
    if response.ByteSize() > MAX_MESSAGE_BYTES - _HEADROOM_BYTES:
        raise response_too_large()
