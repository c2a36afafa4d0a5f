"""JSON Web Tokens, signed by an identity provider whose public keys come from a URL or a file (JWKS).

A token is valid if its signature (RS256, ES256 or EdDSA), issuer, audience and times are valid.

One claim (`sub` unless configured otherwise) names the users that the token gives access to: a user id, a number, or a
list of them. Another (`scope`) names the rights, in a list or separated by spaces: memory.read, memory.write,
memory.delete, memory.admin, and memory.all_users for a trusted backend.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cachetools import TTLCache

from memory_service.access.callers import Caller, Right, unauthenticated
from memory_service.access.jwks import JwksCache
from memory_service.access.jwt_claims import check_times, claim_texts, find_claim

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_LEEWAY = 10.0
"""Seconds by which the clocks of the provider and the service may differ."""
_MAX_CACHED_TOKENS = 10_000
_CACHE_TTL = 60.0
"""Seconds for which a verified token is not verified again."""
_SCOPE_PREFIX = "memory."


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """Which tokens are valid.

    `jwks` is a URL or the path of a file. A claim within another one is named by its path, such as
    `realm_access.roles`.
    """

    jwks: str
    issuer: str
    audience: str
    users_claim: str = "sub"
    rights_claim: str = "scope"


class JwtVerifier:
    """Verifies tokens of one issuer."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._jwks = JwksCache(settings.jwks)
        self._verified: TTLCache[bytes, Caller] = TTLCache(_MAX_CACHED_TOKENS, ttl=_CACHE_TTL)

    async def verify(self, credential: str) -> Caller | None:
        """Return the caller of a token; None when the credential is not a JSON Web Token.

        Raises:
            Unauthenticated: the token is not valid.
            Unavailable: the keys of the provider cannot be fetched.
        """
        if credential.count(".") != 2:
            return None
        digest = hashlib.sha256(credential.encode()).digest()
        if (cached := self._verified.get(digest)) is not None:
            return cached
        claims = await self._verify_claims(credential)
        caller = self._caller(claims)
        if claims["exp"] - time.time() > self._verified.ttl:
            self._verified[digest] = caller
        return caller

    async def _verify_claims(self, token: str) -> dict[str, Any]:
        try:
            key = await self._jwks.key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=_ALGORITHMS,
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud"], "verify_sub": False},
            )
            check_times(claims)
        except jwt.ExpiredSignatureError as error:
            raise unauthenticated("this token has expired: get a new one") from error
        # PyJWT converts claims without checking their types first, which raises any of these.
        except (jwt.InvalidTokenError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise unauthenticated(
                "this token is not valid for this service: check its signature, issuer, audience and times"
            ) from error
        return claims

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        scopes = " ".join(claim_texts(find_claim(claims, self._settings.rights_claim))).split()
        granted = {scope.removeprefix(_SCOPE_PREFIX) for scope in scopes if scope.startswith(_SCOPE_PREFIX)}
        users = frozenset(claim_texts(find_claim(claims, self._settings.users_claim)))
        return Caller(
            name=" ".join(claim_texts(claims.get("sub"))) or self._settings.issuer,
            users=None if "all_users" in granted else users,
            rights=frozenset(right for right in Right if right in granted),
        )
