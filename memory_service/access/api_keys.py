"""API keys: random secrets. The service stores only their hashes, in a file such as this:

    [[keys]]
    name = "chat-backend"
    sha256 = "9f86d0…"
    users = "*"                          # or ["alice", "bob"]
    rights = ["read", "write", "delete"] # and "admin"

A key has 256 random bits, so a plain SHA-256 is enough: nobody can guess a key or look up its hash.
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
"""The start of every key. It tells keys from tokens and helps secret scanners."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"name", "sha256", "users", "rights"}


class ApiKeyVerifier:
    """Verifies API keys against a file, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            OSError: the file cannot be read.
            ValueError: an entry is wrong; the message says which and how.
        """
        self._callers_by_hash = ReloadingFiles([path], lambda contents: read_keys(contents[0]))

    async def verify(self, credential: str) -> Caller | None:
        """Return the caller of a key; None when the credential is not an API key.

        Raises:
            Unauthenticated: the key is not in the file.
        """
        if not credential.startswith(PREFIX):
            return None
        caller = self._callers_by_hash.value().get(_hash(credential))
        if caller is None:
            raise unauthenticated("this API key is unknown or revoked: ask the service's operator for a new one")
        return caller


def new_key(name: str, users: Collection[str] | None, rights: Collection[Right]) -> tuple[str, str]:
    """Return a new key and its entry for the file. `users` None means all users."""
    key = PREFIX + secrets.token_urlsafe(32)
    users_value = '"*"' if users is None else _toml_array(users)
    lines = (
        "[[keys]]",
        f"name = {_toml_string(name)}",
        f"sha256 = {_toml_string(_hash(key))}",
        f"users = {users_value}",
        f"rights = {_toml_array(rights)}",
        "",
    )
    return key, "\n".join(lines)


def read_keys(content: bytes) -> dict[str, Caller]:
    """Return the callers of a file by the hashes of their keys.

    Raises:
        ValueError: an entry is wrong; the message says which and how.
    """
    entries = tomllib.loads(content.decode()).get("keys", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("keys must be an array of tables: start each key with [[keys]]")
    callers: dict[str, Caller] = {}
    for number, entry in enumerate(entries, 1):
        name, sha256 = entry.get("name"), entry.get("sha256")
        if not isinstance(name, str) or not name:
            raise ValueError(f"key {number} has no name: set name")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ValueError(f"key {name!r}: sha256 must be 64 hexadecimal digits")
        if unknown := entry.keys() - _FIELDS:
            raise ValueError(f"key {name!r} has an unknown entry {min(unknown)!r}: use {', '.join(sorted(_FIELDS))}")
        callers[sha256] = Caller(name, _users(name, entry), _rights(name, entry))
    return callers


def _users(name: str, entry: Mapping[str, Any]) -> frozenset[str] | None:
    users = entry.get("users")
    if users == "*":
        return None
    if not isinstance(users, list) or not users or not all(isinstance(user, str) and user for user in users):
        raise ValueError(f'key {name!r}: users must be "*" or a list of user ids')
    return frozenset(users)


def _rights(name: str, entry: Mapping[str, Any]) -> frozenset[Right]:
    try:
        return frozenset(Right(right) for right in entry["rights"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"key {name!r}: rights must be a list of {', '.join(Right)}") from error


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _toml_array(texts: Collection[str]) -> str:
    return f"[{', '.join(map(_toml_string, sorted(texts)))}]"


def _toml_string(text: str) -> str:
    return f'"{"".join(map(_toml_escape, text))}"'


def _toml_escape(character: str) -> str:
    if ord(character) < 32 or ord(character) == 127:
        return f"\\u{ord(character):04x}"
    return f"\\{character}" if character in '\\"' else character
