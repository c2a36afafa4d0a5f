"""Connection settings, and GLIDE clients made from them.

The protocol is RESP2, because GLIDE cannot convert RediSearch's RESP3 replies.
"""

from dataclasses import dataclass
from typing import Any

import glide

_RECONNECT = glide.BackoffStrategy(num_of_retries=4, factor=30, exponent_base=2)
"""Reconnect delays of up to 30 ms, doubling up to half a second. GLIDE's default grows to more than three seconds,
during which every command waits."""

Client = glide.GlideClient | glide.GlideClusterClient


@dataclass(frozen=True, slots=True)
class Address:
    """The address of one Valkey node."""

    host: str
    port: int = 6379


@dataclass(frozen=True, slots=True)
class Iam:
    """IAM authentication of an ElastiCache or MemoryDB user, with short-lived tokens instead of a password.

    The AWS credentials of the environment sign the tokens. `service` is elasticache or memorydb; `name` is the name of
    the cluster.
    """

    service: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to connect to Valkey. `command_timeout` in seconds limits each command, in addition to the call's deadline.
    `queue` limits the calls that wait for a connection."""

    addresses: tuple[Address, ...]
    cluster: bool = False
    tls: bool = False
    tls_ca: bytes | None = None
    username: str | None = None
    password: str | None = None
    iam: Iam | None = None
    connections: int = 8
    queue: int = 1000
    command_timeout: float = 10.0


async def create_client(settings: ConnectionSettings) -> Client:
    """Return a client that connects with its first command and reconnects when its connection breaks.

    Raises glide.GlideError.
    """
    credentials = None
    if settings.iam is not None:
        service = glide.ServiceType[settings.iam.service.upper()]
        tokens = glide.IamAuthConfig(settings.iam.name, service, settings.iam.region)
        credentials = glide.ServerCredentials(username=settings.username, iam_config=tokens)
    elif settings.password is not None:
        credentials = glide.ServerCredentials(settings.password, settings.username)
    tls = glide.TlsAdvancedConfiguration(root_pem_cacerts=settings.tls_ca) if settings.tls_ca else None
    common: dict[str, Any] = {
        "addresses": [glide.NodeAddress(address.host, address.port) for address in settings.addresses],
        "use_tls": settings.tls,
        "credentials": credentials,
        "request_timeout": int(settings.command_timeout * 1000),
        "protocol": glide.ProtocolVersion.RESP2,
        "lazy_connect": True,
        "reconnect_strategy": _RECONNECT,
        "client_name": "semantic_memory",
    }
    if settings.cluster:
        cluster_tls = glide.AdvancedGlideClusterClientConfiguration(tls_config=tls)
        return await glide.GlideClusterClient.create(
            glide.GlideClusterClientConfiguration(**common, advanced_config=cluster_tls)
        )
    node_tls = glide.AdvancedGlideClientConfiguration(tls_config=tls)
    return await glide.GlideClient.create(glide.GlideClientConfiguration(**common, advanced_config=node_tls))
