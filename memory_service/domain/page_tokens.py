"""Page tokens: where a List goes on. A token is encrypted, so that it tells nothing, and bound to its request, so that
it serves no other; it grants nothing, since the filter that comes with it is applied again."""

import base64
import binascii
import hashlib
import secrets
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memory_service.domain.errors import invalid
from memory_service.domain.types import Filter

_NONCE = 12
_HEAD = struct.Struct(">qI")
"""The time, and the length of the id."""


@dataclass(frozen=True, slots=True)
class Place:
    """The last memory of a page in the order of (timestamp, id, slot)."""

    timestamp: int
    id: str
    slot: str


@dataclass(frozen=True, slots=True)
class Binding:
    """The request that a token belongs to, and the secret that encrypts it."""

    secret: bytes
    index: str
    where: Filter
    newest_first: bool

    @property
    def authenticated(self) -> bytes:
        """What the encryption vouches for besides the place."""
        return hashlib.blake2b(repr((self.index, self.where, self.newest_first)).encode()).digest()


def seal(place: Place, binding: Binding) -> str:
    """The token of a place, for the same index, filter and order."""
    nonce = secrets.token_bytes(_NONCE)
    id_ = place.id.encode()
    plain = _HEAD.pack(place.timestamp, len(id_)) + id_ + place.slot.encode()
    sealed = AESGCM(binding.secret).encrypt(nonce, plain, binding.authenticated)
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(token: str, binding: Binding) -> Place:
    """The place of a token.

    Raises:
        InvalidRequest: the token is not ours, or belongs to another index, filter or order.
    """
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        plain = AESGCM(binding.secret).decrypt(raw[:_NONCE], raw[_NONCE:], binding.authenticated)
        timestamp, length = _HEAD.unpack_from(plain)
        id_, slot = plain[_HEAD.size : _HEAD.size + length], plain[_HEAD.size + length :]
        return Place(timestamp, id_.decode(), slot.decode())
    except (InvalidTag, ValueError, binascii.Error, struct.error) as error:
        raise invalid(
            "page_token",
            "is not a next_page_token of a List with this index, filter and order: begin again without one",
            "list.page_token",
        ) from error
