"""Encodes ids as TAG values that contain only [a-z0-9_], which is safe on every engine and version.

An id of only these characters stays unchanged, so that other software can read the documents and write its own. Any
other id becomes a marker followed by the hex of its UTF-8. Escaping is not enough: in valkey-search `=>` splits a query
even when escaped, and an escaped `*` is still a wildcard. RediSearch interprets punctuation and case.
"""

import re

MARKER = "x_"
_PLAIN = re.compile(r"[a-z0-9_]*[a-z0-9][a-z0-9_]*")
"""At least one letter or digit, because a lone `_` is a syntax error in RediSearch."""


def encode_tag(identity: str) -> str:
    """Return the tag of a non-empty id. Different ids have different tags."""
    if _PLAIN.fullmatch(identity) and not identity.startswith(MARKER):
        return identity
    return MARKER + identity.encode().hex()


def decode_tag(tag: str) -> str:
    """Return the id of a tag. A tag that `encode_tag` cannot produce, written by other software, is its own id."""
    if not tag.startswith(MARKER):
        return tag
    try:
        return bytes.fromhex(tag.removeprefix(MARKER)).decode()
    except ValueError:
        return tag
