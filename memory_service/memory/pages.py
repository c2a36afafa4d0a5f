"""Page tokens: where a List goes on. A token is encrypted, so that it tells nothing, and bound to its request, so that
it serves no other; it grants nothing, since the filter that comes with it is applied again."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memory_service.memory.errors import invalid
from memory_service.memory.types import Filter

_NONCE = 12
_TIME = 8


@dataclass(frozen=True, slots=True)
class Place:
    """The last memory of a page in the order of (timestamp, slot)."""

    timestamp: int
    slot: str


def seal(place: Place, secret: bytes, *, index: str, where: Filter, newest_first: bool) -> str:
    """The token of a place, for the same index, filter and order."""
    nonce = secrets.token_bytes(_NONCE)
    plain = place.timestamp.to_bytes(_TIME, "big", signed=True) + place.slot.encode()
    sealed = AESGCM(secret).encrypt(nonce, plain, _bound_to(index, where, newest_first))
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(token: str, secret: bytes, *, index: str, where: Filter, newest_first: bool) -> Place:
    """The place of a token.

    Raises:
        InvalidRequest: the token is not ours, or belongs to another index, filter or order.
    """
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        plain = AESGCM(secret).decrypt(raw[:_NONCE], raw[_NONCE:], _bound_to(index, where, newest_first))
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise invalid(
            "page_token",
            "is not a next_page_token of a List with this index, filter and order: begin again without one",
            "list.page_token",
        ) from error
    return Place(int.from_bytes(plain[:_TIME], "big", signed=True), plain[_TIME:].decode())


def _bound_to(index: str, where: Filter, newest_first: bool) -> bytes:
    return hashlib.blake2b(repr((index, where, newest_first)).encode()).digest()
