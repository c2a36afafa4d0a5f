"""How to reach Valkey, and a GLIDE client that does.

RESP2, because GLIDE cannot convert RediSearch's RESP3 replies.
"""

from dataclasses import dataclass
from typing import Any

import glide

_RECONNECT = glide.BackoffStrategy(num_of_retries=4, factor=30, exponent_base=2)
"""Waits of at most 30 ms, then twice that, up to half a second. GLIDE's own grow to more than three seconds, and
nothing is answered until they end."""

Client = glide.GlideClient | glide.GlideClusterClient


@dataclass(frozen=True, slots=True)
class Address:
    """Where one Valkey node listens."""

    host: str
    port: int = 6379


@dataclass(frozen=True, slots=True)
class Iam:
    """How AWS knows an ElastiCache or MemoryDB user: short-lived tokens instead of a password, signed with the AWS
    credentials that the environment gives. `service` is elasticache or memorydb, `name` the cluster's."""

    service: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to reach Valkey. `command_timeout` in seconds bounds each command, the call's deadline permitting; `queue`
    bounds the calls that wait for a connection."""

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
    """A client that connects with its first command, and again by itself when its connection breaks.

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
        "addresses": [glide.NodeAddress(one.host, one.port) for one in settings.addresses],
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
