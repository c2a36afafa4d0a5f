"""API keys and tokens, and servers and stubs that use them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from memory_service.access.api_keys import new_key
from memory_service.access.callers import Right
from memory_service.cli import client
from memory_service.rpc.server import RpcServer
from memory_service.server import run_server
from memory_service.settings import Settings
from tests.support.api import Stub, stub_for

ISSUER, AUDIENCE = "https://issuer.test", "semantic-memory"
ALL_SCOPES = "memory.read memory.write memory.delete memory.admin memory.all_users"

SIGNING_KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def jwks(*names: str) -> dict[str, Any]:
    """Return the public signing keys as a provider publishes them."""
    keys = []
    for name in names or SIGNING_KEYS:
        algorithm: Any = jwt.get_algorithm_by_name(name)
        keys.append({**algorithm.to_jwk(SIGNING_KEYS[name].public_key(), as_dict=True), "kid": name, "alg": name})
    return {"keys": keys}


def token(algorithm: str = "RS256", *, kid: str | None = None, key: Any = None, **claims: Any) -> str:
    """Return a token for alice with read and write scopes, unless `claims` override them."""
    defaults = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": time.time() + 600,
        "sub": "alice",
        "scope": "memory.read memory.write",
        **claims,
    }
    claims_to_encode = {name: value for name, value in defaults.items() if value is not None}
    return jwt.encode(claims_to_encode, key or SIGNING_KEYS[algorithm], algorithm, headers={"kid": kid or algorithm})


def token_with_raw_claims(claims: bytes) -> str:
    """Return a signed token with these bytes as claims, which a library would refuse to encode."""
    return jwt.api_jws.encode(claims, SIGNING_KEYS["EdDSA"], "EdDSA", headers={"kid": "EdDSA"})


def api_key(name: str, users: list[str] | None, *rights: str) -> tuple[str, str]:
    """Return a key and its entry for the key file."""
    return new_key(name, users, [Right(one) for one in rights])


@asynccontextmanager
async def server_with_auth(settings: Settings, **changes: Any) -> AsyncIterator[RpcServer]:
    """Run a server on the engine and index of the other servers, with these settings."""
    async with run_server(Settings(**{**settings.model_dump(exclude={"data_dir"}), **changes})) as server:
        yield server


@asynccontextmanager
async def stub_with_credential(server: RpcServer, credential: str = "", **options: Any) -> AsyncIterator[Stub]:
    """Open a stub that sends a key or a token, with further options of `client.Credentials`."""
    client.use(client.Credentials(token=credential, **options))
    try:
        async with client.channel_to(server.address) as channel:
            yield stub_for(channel)
    finally:
        client.use(client.Credentials())


def error_reason(error: grpc.aio.AioRpcError) -> str:
    """Return the reason in an error's ErrorInfo."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return str(info.reason)
