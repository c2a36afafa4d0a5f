"""JSON Web Tokens: signed by an identity provider, whose public keys come from a URL or a file (JWKS).

A token is good when its signature (RS256, ES256 or EdDSA), issuer, audience and times are. It says which users it is
for in one claim (`sub` unless configured otherwise: a user id or a list of them) and what it may in another (`scope`,
words separated by spaces): memory.read, memory.write, memory.delete, memory.admin, and memory.all_users for a trusted
backend.
"""

import asyncio
import hashlib
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import orjson
import structlog
from cachetools import TTLCache

from memory_service.access.callers import Caller, Right, unauthenticated
from memory_service.memory.errors import Reason, Unavailable

_log = structlog.get_logger(__name__)

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_LEEWAY = 10.0
"""Seconds by which clocks may differ."""
_FRESH = 300.0
"""Seconds after which the provider's keys are fetched again, as keys are rotated."""
_PAUSE = 10.0
"""Seconds between two fetches, whatever tokens come: made-up key ids must not become a load on the provider."""
_FETCH_TIMEOUT = 5.0
_MOST_BYTES = 1 << 20
_REMEMBERED = 10_000
"""Tokens whose verification is remembered, for at most a minute each."""
_PREFIX = "memory."


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which tokens are good. `jwks` is a URL or the path of a file."""

    jwks: str
    issuer: str
    audience: str
    users_claim: str = "sub"
    rights_claim: str = "scope"


class Tokens:
    """Verifies tokens of one issuer."""

    def __init__(self, settings: TokenSettings) -> None:
        self._settings = settings
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._known: TTLCache[bytes, Caller] = TTLCache(_REMEMBERED, ttl=60.0)

    async def caller(self, credential: str) -> Caller | None:
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
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=_ALGORITHMS,
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise unauthenticated("this token has expired: get a new one") from error
        except jwt.InvalidTokenError as error:
            raise unauthenticated(
                "this token is not good here: its signature, issuer, audience and times must be"
            ) from error
        return claims

    async def _key(self, key_id: str | None) -> jwt.PyJWK:
        age = time.monotonic() - self._fetched
        if age > _FRESH or (key_id not in self._keys and age > _PAUSE):
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch())
                self._fetching.add_done_callback(self._forget_fetching)
            await asyncio.shield(self._fetching)
        if not self._keys:
            raise Unavailable(
                Reason.ACCESS_UNAVAILABLE,
                "the keys of the identity provider cannot be fetched: try again",
                retry_after=_PAUSE,
            )
        if key_id not in self._keys:
            raise jwt.InvalidTokenError(f"unknown key id {key_id!r}")
        return self._keys[key_id]

    async def _fetch(self) -> None:
        """Fetch the keys; when that fails the old ones stay."""
        self._fetched = time.monotonic()
        try:
            content = await asyncio.to_thread(_read, self._settings.jwks)
            keys = jwt.PyJWKSet.from_dict(orjson.loads(content)).keys
        except (OSError, ValueError, jwt.PyJWTError) as error:
            _log.warning("jwks_not_fetched", jwks=self._settings.jwks, cause=repr(error)[:200])
            return
        self._keys = {one.key_id: one for one in keys}

    def _forget_fetching(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    def _described(self, claims: Mapping[str, Any]) -> Caller:
        words = str(claims.get(self._settings.rights_claim, "")).split()
        granted = {word.removeprefix(_PREFIX) for word in words if word.startswith(_PREFIX)}
        named = claims.get(self._settings.users_claim)
        users = frozenset(
            one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str) and one
        )
        return Caller(
            name=str(claims.get("sub", "")) or self._settings.issuer,
            users=None if "all_users" in granted else users,
            rights=frozenset(right for right in Right if right in granted),
        )


def _read(jwks: str) -> bytes:
    if "://" not in jwks:
        return Path(jwks).read_bytes()
    with urllib.request.urlopen(jwks, timeout=_FETCH_TIMEOUT) as response:  # noqa: S310 - the operator's own URL
        content: bytes = response.read(_MOST_BYTES)
    return content
