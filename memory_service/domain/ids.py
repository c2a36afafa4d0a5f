"""Ids of memories: 128 bits in hex, either generated in time order or derived from an id that the caller chose."""

import hashlib
import re
import secrets
import time

_GENERATED = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """Return a new id: 48 bits of milliseconds since 1970, then 80 random bits. Ids sort by time, as UUIDv7 does."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def is_generated_id(id_: str) -> bool:
    """Return whether an id has the form of a generated one."""
    return _GENERATED.fullmatch(id_) is not None


def derived_id(kind: str, user_id: str, chosen: str) -> str:
    """Return the storage id for a value that a user chose; `kind` is "id" or "request".

    Different users, kinds or values never share an id: each part is hashed together with its length.
    """
    digest = hashlib.blake2b(digest_size=16, person=b"semantic_memory")
    for part in (kind, user_id, chosen):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()
