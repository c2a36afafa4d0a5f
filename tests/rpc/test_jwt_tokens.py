"""Callers with a JSON Web Token: which tokens are valid, and what they allow."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import jwt
import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.api import TIMEOUT
from tests.support.authorization_cases import ALICE, CALLS, status_of
from tests.support.credentials import (
    ALL_SCOPES,
    AUDIENCE,
    ISSUER,
    SIGNING_KEYS,
    jwks,
    server_with_auth,
    stub_with_credential,
    token,
)


@pytest.fixture(scope="module")
async def server_with_tokens(
    settings: Settings, server: RpcServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RpcServer]:
    """A server that accepts tokens signed by the keys in a file."""
    assert server
    file = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_text(json.dumps(jwks()))
    async with server_with_auth(settings, jwt_jwks=str(file), jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one:
        yield one


@pytest.mark.parametrize("algorithm", SIGNING_KEYS)
async def test_a_valid_token_grants_access_to_its_user(server_with_tokens: RpcServer, algorithm: str) -> None:
    async with stub_with_credential(server_with_tokens, token(algorithm)) as stub:
        assert await status_of(CALLS["Search"][1](stub, "alice")) is grpc.StatusCode.OK
        assert await status_of(CALLS["Store"][1](stub, "alice")) is grpc.StatusCode.OK
        assert await status_of(CALLS["Delete"][1](stub, "alice")) is grpc.StatusCode.PERMISSION_DENIED
        assert await status_of(CALLS["Search"][1](stub, "bob")) is grpc.StatusCode.PERMISSION_DENIED
        assert await status_of(CALLS["Search"][1](stub, None)) is grpc.StatusCode.PERMISSION_DENIED


async def test_claims_determine_users_and_rights(server_with_tokens: RpcServer) -> None:
    async def may(call: str, user: str | None, **claims: Any) -> bool:
        async with stub_with_credential(server_with_tokens, token(**claims)) as stub:
            return await status_of(CALLS[call][1](stub, user)) in {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}

    assert await may("Search", "bob", sub=None, scope=ALL_SCOPES)
    assert await may("Search", None, scope=ALL_SCOPES)
    assert await may("EnsureIndex", None, scope=ALL_SCOPES)
    assert not await may("Search", "alice", scope=None), "without a scope nothing is allowed"
    assert not await may("Search", "alice", scope="read write"), "scopes of other services are ignored"
    assert not await may("Search", "alice", sub=None), "a token without a user allows no user"


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "expired": lambda: token(exp=1),
    "not yet": lambda: token(nbf=4_000_000_000),
    "without an end": lambda: token(exp=None),
    "of another issuer": lambda: token(iss="https://evil.test"),
    "for another audience": lambda: token(aud="other-service"),
    "without an audience": lambda: token(aud=None),
    "of an unknown key": lambda: token(kid="unknown"),
    "signed by another key": lambda: token("RS256", kid="ES256"),
    "not signed": lambda: jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": 4e9, "sub": "alice"}, "", "none"),
    "signed with a shared secret": lambda: token("HS256", key="a-shared-secret-of-thirty-two-bytes", kid="RS256"),
    "tampered with": lambda: token()[:-4] + "AAAA",
    "no token": lambda: "a.b.c",
}


@pytest.mark.parametrize("case", BAD_TOKENS)
async def test_an_invalid_token_is_unauthenticated(server_with_tokens: RpcServer, case: str) -> None:
    credential = BAD_TOKENS[case]()
    async with stub_with_credential(server_with_tokens, credential) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert credential not in str(caught.value.details())
