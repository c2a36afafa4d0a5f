"""Claims of a token: strings, numbers, lists, nested claims, and any other JSON."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.access.callers import Right
from memory_service.access.jwt_tokens import JwtSettings, JwtVerifier
from memory_service.domain.errors import Unauthenticated
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.authorization_cases import CALLS, status_of
from tests.support.credentials import (
    AUDIENCE,
    ISSUER,
    jwks,
    server_with_auth,
    stub_with_credential,
    token_with_raw_claims,
)

RIGHTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Okta": ("scp", {"scp": ["memory.read", "memory.write"]}),
    "Auth0": ("permissions", {"permissions": ["memory.read", "memory.write"]}),
    "Entra": ("roles", {"roles": ["memory.read", "memory.write"]}),
    "Keycloak": ("realm_access.roles", {"realm_access": {"roles": ["offline_access", "memory.read", "memory.write"]}}),
    "Keycloak's client": (
        "resource_access.semantic.memory.roles",
        {"resource_access": {"semantic.memory": {"roles": ["memory.read", "memory.write"]}}},
    ),
    "a name with dots": ("https://example.com/roles", {"https://example.com/roles": "memory.read memory.write"}),
    "a name with dots beside a path": ("a.b", {"a": {"b": "memory.admin"}, "a.b": ["memory.read memory.write"]}),
}
USERS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "a text": ("sub", {"sub": "alice"}, {"alice"}),
    "a list": ("sub", {"sub": ["alice", "bob"]}, {"alice", "bob"}),
    "a number": ("sub", {"sub": 42}, {"42"}),
    "a long number": ("sub", {"sub": 12345678901234567890123}, {"12345678901234567890123"}),
    "a number with a point": ("sub", {"sub": 42.0}, {"42"}),
    "a fraction": ("sub", {"sub": 0.00001}, {"0.00001"}),
    "a list of both": ("sub", {"sub": ["alice", 42]}, {"alice", "42"}),
    "a nested claim": ("user.id", {"user": {"id": 7}}, {"7"}),
    "booleans and null": ("sub", {"sub": [True, False, None, ""]}, set()),
    "a float that stands for many numbers": ("sub", {"sub": 1e300}, set()),
    "an object": ("sub", {"sub": {"alice": 1}}, set()),
    "nothing": ("user.id", {"user": "alice"}, set()),
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_text(json.dumps(jwks()))
    return str(file)


def claims(**more: Any) -> bytes:
    claim = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 600, "sub": "alice", "scope": "memory.read", **more}
    return json.dumps(claim).encode()


@pytest.mark.parametrize("provider", RIGHTS)
async def test_rights_are_read_from_the_providers_claim(keys: str, provider: str) -> None:
    path, claim = RIGHTS[provider]
    tokens = JwtVerifier(JwtSettings(keys, ISSUER, AUDIENCE, rights_claim=path))
    caller = await tokens.verify(token_with_raw_claims(claims(**claim)))
    assert caller is not None
    assert caller.rights == {Right.READ, Right.WRITE}


@pytest.mark.parametrize("case", USERS)
async def test_user_claims_can_be_strings_numbers_or_lists(keys: str, case: str) -> None:
    path, claim, users = USERS[case]
    caller = await JwtVerifier(JwtSettings(keys, ISSUER, AUDIENCE, users_claim=path)).verify(
        token_with_raw_claims(claims(**claim))
    )
    assert caller is not None
    assert caller.users == frozenset(users)


@pytest.mark.parametrize("wrong", ["9999999999", True, None, [9999999999], {"at": 9999999999}, float("inf"), 10**400])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
async def test_a_time_claim_of_the_wrong_type_is_unauthenticated(keys: str, name: str, wrong: Any) -> None:
    with pytest.raises(Unauthenticated):
        await JwtVerifier(JwtSettings(keys, ISSUER, AUDIENCE)).verify(token_with_raw_claims(claims(**{name: wrong})))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "scope", "realm_access", "jti"])


@pytest.fixture(scope="module")
async def server_with_tokens(settings: Settings, server: RpcServer, keys: str) -> AsyncIterator[RpcServer]:
    assert server
    changes = {"jwt_jwks": keys, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    async with server_with_auth(settings, **changes, jwt_rights_claim="realm_access.roles") as one:
        yield one


@given(st.dictionaries(NAMES, JSON) | JSON)
async def test_no_claims_cause_a_server_error(server_with_tokens: RpcServer, claim: Any) -> None:
    all_claims = json.loads(claims()) | claim if isinstance(claim, dict) else claim
    async with stub_with_credential(server_with_tokens, token_with_raw_claims(json.dumps(all_claims).encode())) as stub:
        code = await status_of(CALLS["List"][1](stub, "alice"))
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}


@given(st.binary(max_size=200))
async def test_no_bytes_in_place_of_claims_cause_a_server_error(server_with_tokens: RpcServer, claim: bytes) -> None:
    async with stub_with_credential(server_with_tokens, token_with_raw_claims(claim)) as stub:
        assert await status_of(CALLS["List"][1](stub, "alice")) is grpc.StatusCode.UNAUTHENTICATED
