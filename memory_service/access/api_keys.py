"""API keys: random secrets, of which the service keeps only hashes.

    [[keys]]
    name = "chat-backend"
    sha256 = "9f86d0…"
    users = "*"                          # or ["alice", "bob"]
    rights = ["read", "write", "delete"] # and "admin"

A key has 256 random bits, so that a plain SHA-256 of it can be neither guessed nor looked up.
"""

import hashlib
import re
import secrets
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from memory_service.access.callers import Caller, Right, unauthenticated
from memory_service.access.reloading_files import ReloadingFiles

PREFIX = "smk_"
_HASH = re.compile(r"[0-9a-f]{64}")


class ApiKeyVerifier:
    """The callers of a file of keys, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError, in words, when the file is missing or wrong."""
        self._file = ReloadingFiles([path], lambda contents: read_keys(contents[0]))

    async def verify(self, credential: str) -> Caller | None:
        """The caller of a key; None for what is no key of ours."""
        if not credential.startswith(PREFIX):
            return None
        caller = self._file.value().get(_hash(credential))
        if caller is None:
            raise unauthenticated("this API key is not known here, or no longer: ask the service's operator")
        return caller


def new_key(name: str, users: Collection[str] | None, rights: Collection[Right]) -> tuple[str, str]:
    """A new key, and the entry for the file that lets it in. None stands for every user."""
    key = PREFIX + secrets.token_urlsafe(32)
    shown = '"*"' if users is None else _array(users)
    lines = (f"name = {_text(name)}", f"sha256 = {_text(_hash(key))}", f"users = {shown}", f"rights = {_array(rights)}")
    return key, "\n".join(("[[keys]]", *lines, ""))


def read_keys(content: bytes) -> dict[str, Caller]:
    """The callers of a file by the hashes of their keys.

    Raises ValueError, in words.
    """
    entries = tomllib.loads(content.decode()).get("keys", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ValueError("each key is a table [[keys]]")
    callers: dict[str, Caller] = {}
    for number, entry in enumerate(entries, 1):
        name, hashed = entry.get("name"), entry.get("sha256")
        if not isinstance(name, str) or not name:
            raise ValueError(f"key {number} has no name")
        if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
            raise ValueError(f"key {name!r}: sha256 must be 64 hexadecimal digits")
        if unknown := entry.keys() - {"name", "sha256", "users", "rights"}:
            raise ValueError(f"key {name!r} has an unknown entry {min(unknown)!r}")
        callers[hashed] = Caller(name, _users(name, entry), _rights(name, entry))
    return callers


def _users(name: str, entry: Mapping[str, Any]) -> frozenset[str] | None:
    users = entry.get("users")
    if users == "*":
        return None
    if not isinstance(users, list) or not users or not all(isinstance(one, str) and one for one in users):
        raise ValueError(f'key {name!r}: users must be "*" or a list of user ids')
    return frozenset(users)


def _rights(name: str, entry: Mapping[str, Any]) -> frozenset[Right]:
    try:
        return frozenset(Right(one) for one in entry["rights"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"key {name!r}: rights must be a list of {', '.join(Right)}") from error


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _array(texts: Collection[str]) -> str:
    return f"[{', '.join(map(_text, sorted(texts)))}]"


def _text(text: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(
        f"\\u{ord(one):04x}" if ord(one) < 32 or ord(one) == 127 else f"\\{one}" if one in '\\"' else one
        for one in text
    )
    return f'"{escaped}"'
