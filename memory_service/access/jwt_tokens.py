"""JSON Web Tokens: signed by an identity provider, whose public keys come from a URL or a file (JWKS).

A token is good when its signature (RS256, ES256 or EdDSA), issuer, audience and times are. One claim (`sub` unless
configured otherwise) says which users it is for: a user id, a number, or a list of them. Another (`scope`) says what
the caller may do, in words separated by spaces or in a list: memory.read, memory.write, memory.delete, memory.admin,
and memory.all_users for a trusted backend.
"""

import hashlib
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import jwt
from cachetools import TTLCache

from memory_service.access.callers import Caller, Right, unauthenticated
from memory_service.access.jwks import JwksCache

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_LEEWAY = 10.0
"""Seconds by which clocks may differ."""
_REMEMBERED = 10_000
"""Tokens whose verification is remembered, for at most a minute each."""
_PREFIX = "memory."
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXACT = 2**53
"""Beyond it two different numbers of JSON can be the same float: neither names a user."""


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """Which tokens are good. `jwks` is a URL or the path of a file. A claim within others is named by its path, such as
    `realm_access.roles`."""

    jwks: str
    issuer: str
    audience: str
    users_claim: str = "sub"
    rights_claim: str = "scope"


class JwtVerifier:
    """Verifies tokens of one issuer."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._keys = JwksCache(settings.jwks)
        self._known: TTLCache[bytes, Caller] = TTLCache(_REMEMBERED, ttl=60.0)

    async def verify(self, credential: str) -> Caller | None:
        """The caller of a token; None for what is no JSON Web Token."""
        if credential.count(".") != 2:
            return None
        digest = hashlib.sha256(credential.encode()).digest()
        if (known := self._known.get(digest)) is not None:
            return known
        claims = await self._verified(credential)
        caller = self._described(claims)
        if claims["exp"] - time.time() > self._known.ttl:
            self._known[digest] = caller
        return caller

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            key = await self._keys.key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=_ALGORITHMS,
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud"], "verify_sub": False},
            )
            _check_times(claims)
        except jwt.ExpiredSignatureError as error:
            raise unauthenticated("this token has expired: get a new one") from error
        # PyJWT converts claims of a wrong type without a look.
        except (jwt.InvalidTokenError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise unauthenticated(
                "this token is not good here: its signature, issuer, audience and times must be"
            ) from error
        return claims

    def _described(self, claims: Mapping[str, Any]) -> Caller:
        words = " ".join(_texts(_claim(claims, self._settings.rights_claim))).split()
        granted = {word.removeprefix(_PREFIX) for word in words if word.startswith(_PREFIX)}
        users = frozenset(_texts(_claim(claims, self._settings.users_claim)))
        return Caller(
            name=" ".join(_texts(claims.get("sub"))) or self._settings.issuer,
            users=None if "all_users" in granted else users,
            rights=frozenset(right for right in Right if right in granted),
        )


def _claim(claims: object, path: str) -> Any:
    """The claim of this name, or else the one at this path of names with dots between them; None for none. Names that
    have dots themselves go before paths."""
    if not isinstance(claims, Mapping):
        return None
    if path in claims:
        return claims[path]
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        found = _claim(claims.get(".".join(parts[:count])), ".".join(parts[count:]))
        if found is not None:
            return found
    return None


def _texts(value: object) -> Iterator[str]:
    """The texts of a claim: of a text, a number, or a list of them. What no id can be is left out."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one and not _SURROGATE.search(one):
            yield one
        elif isinstance(one, int) and not isinstance(one, bool):
            yield str(one)
        elif isinstance(one, float) and abs(one) <= _EXACT:
            yield str(int(one)) if one.is_integer() else f"{Decimal(repr(one)):f}"


def _check_times(claims: Mapping[str, Any]) -> None:
    # PyJWT takes texts and booleans for numbers.
    for name in ("exp", "nbf", "iat"):
        time_ = claims.get(name, 0)
        if isinstance(time_, bool) or not isinstance(time_, int | float) or not math.isfinite(time_):
            raise jwt.InvalidTokenError(f"{name} is no number")
