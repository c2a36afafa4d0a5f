"""Ids of memories: 128 bits in hex. Made by the server in time order, or derived from what the caller chose."""

import hashlib
import re
import secrets
import time

_MADE = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """A new id: 48 bits of milliseconds since 1970, then 80 random bits, so that ids sort by time (as UUIDv7 does)."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def is_made_id(id_: str) -> bool:
    """Tell whether an id has the form of those made here."""
    return _MADE.fullmatch(id_) is not None


def derived_id(kind: str, user_id: str, chosen: str) -> str:
    """The id that belongs to what a user chose, `kind` being what it names. No two users, kinds or choices share one:
    the parts are hashed with their lengths, so that they cannot run into each other."""
    digest = hashlib.blake2b(digest_size=16, person=b"semantic_memory")
    for part in (kind, user_id, chosen):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()
