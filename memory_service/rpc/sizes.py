"""The size limits of messages."""

from google.protobuf.message import Message

from memory_service.domain.errors import response_too_large

MAX_MESSAGE_BYTES = 4 * 2**20
"""Most bytes of a request or a response: the default limit of gRPC clients and servers."""
_HEADROOM_BYTES = 2**16


def check_size(response: Message) -> None:
    """Check that clients with default limits accept a response.

    Raises:
        ResourceExhausted: the response is too large, with reason RESPONSE_TOO_LARGE.
    """
    if response.ByteSize() > MAX_MESSAGE_BYTES - _HEADROOM_BYTES:
        raise response_too_large()
