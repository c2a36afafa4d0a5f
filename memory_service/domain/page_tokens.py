"""Page tokens: where a List continues.

A token is encrypted, so it reveals nothing, and bound to its request, so it is useless for another one. It grants no
access: the filter of the request is applied again.
"""

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

_NONCE_BYTES = 12
_HEADER = struct.Struct(">qI")
"""The timestamp, and the length of the id."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last memory of a page in the order of (timestamp, id, storage_id)."""

    timestamp: int
    id: str
    storage_id: str


@dataclass(frozen=True, slots=True)
class TokenBinding:
    """The request that a token is bound to, and the secret that encrypts it."""

    secret: bytes
    index: str
    where: Filter
    newest_first: bool

    @property
    def authenticated(self) -> bytes:
        """The request, as associated data of the encryption."""
        return hashlib.blake2b(repr((self.index, self.where, self.newest_first)).encode()).digest()


def encode_cursor(cursor: Cursor, binding: TokenBinding) -> str:
    """Return the page token of a cursor."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    id_ = cursor.id.encode()
    plain = _HEADER.pack(cursor.timestamp, len(id_)) + id_ + cursor.storage_id.encode()
    encrypted = AESGCM(binding.secret).encrypt(nonce, plain, binding.authenticated)
    return base64.urlsafe_b64encode(nonce + encrypted).decode()


def decode_cursor(token: str, binding: TokenBinding) -> Cursor:
    """Return the cursor of a page token.

    Raises:
        InvalidRequest: the token is invalid, or belongs to another index, filter or order.
    """
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        plain = AESGCM(binding.secret).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], binding.authenticated)
        timestamp, length = _HEADER.unpack_from(plain)
        id_, storage_id = plain[_HEADER.size : _HEADER.size + length], plain[_HEADER.size + length :]
        return Cursor(timestamp, id_.decode(), storage_id.decode())
    except (InvalidTag, ValueError, binascii.Error, struct.error) as error:
        raise invalid(
            "page_token",
            "is not a next_page_token of a List with this index, filter and order: start again without a token",
            "list.page_token",
        ) from error
