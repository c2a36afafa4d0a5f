"""Reads claims of JSON Web Tokens: nested ones, and those with several values."""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import jwt

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_EXACT_FLOAT = 2**53
"""Above this, two different numbers of JSON can become the same float. Numbers above it identify no user."""


def find_claim(claims: object, path: str) -> Any:
    """Return the claim with this name, or else the one at this dotted path; None when there is none.

    Names that contain dots themselves take precedence over paths.
    """
    if not isinstance(claims, Mapping):
        return None
    if path in claims:
        return claims[path]
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        claim = find_claim(claims.get(".".join(parts[:count])), ".".join(parts[count:]))
        if claim is not None:
            return claim
    return None


def claim_texts(claim: object) -> Iterator[str]:
    """Yield the values of a claim as texts. The claim is a text, a number, or a list of them.

    Values that cannot be an id are left out: empty texts, surrogates, booleans and inexact numbers.
    """
    for value in claim if isinstance(claim, list) else [claim]:
        if isinstance(value, str) and value and not _SURROGATE.search(value):
            yield value
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, float) and abs(value) <= _MAX_EXACT_FLOAT:
            yield str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"


def check_times(claims: Mapping[str, Any]) -> None:
    """Check that the times of a token are numbers: PyJWT also accepts texts and booleans.

    Raises:
        jwt.InvalidTokenError: one of them is not a number.
    """
    for name in ("exp", "nbf", "iat"):
        seconds = claims.get(name, 0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
            raise jwt.InvalidTokenError(f"{name} is not a number")
