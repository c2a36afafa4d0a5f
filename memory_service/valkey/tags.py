"""Ids as TAG values. What reaches a TAG field or a filter holds only [a-z0-9_], on every engine and version.

An id of only those characters stays as it is, so that the documents of other software and ours read each other. Any
other id becomes a marker and the hex of its UTF-8. Nothing else is safe: in valkey-search `=>` splits a query even
when escaped, and an escaped `*` is still a wildcard; RediSearch gives punctuation and case meanings of their own.
"""

import re

MARKER = "x_"
_PLAIN = re.compile(r"[a-z0-9_]*[a-z0-9][a-z0-9_]*")
"""With a letter or digit: a lone `_` is a syntax error to RediSearch."""


def encode_tag(identity: str) -> str:
    """The tag of an id; different ids have different tags. The id must not be empty."""
    if _PLAIN.fullmatch(identity) and not identity.startswith(MARKER):
        return identity
    return MARKER + identity.encode().hex()


def decode_tag(tag: str) -> str:
    """The id of a tag. A tag that `encode_tag` never makes, written by other software, is its own id."""
    if not tag.startswith(MARKER):
        return tag
    try:
        return bytes.fromhex(tag.removeprefix(MARKER)).decode()
    except ValueError:
        return tag
