"""How a client reaches a server: what the sync and the asyncio client have in common."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import grpc

from semantic_memory.v1.memory_service_pb2 import BatchStoreRequest, StoreRequest

DEFAULT_TIMEOUT = 30.0

OPTIONS: list[tuple[str, str | int]] = [
    # Round robin over healthy servers, and a retry of UNAVAILABLE for all calls that are safe to repeat.
    ("grpc.service_config", resources.files("semantic_memory").joinpath("service_config.json").read_text()),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A hit whose whole context is of the longest contents.
    ("grpc.max_receive_message_length", 16 * 2**20),
]


@dataclass(frozen=True)
class TLS:
    """PEM files: the authorities to trust (the system's unless given), the client's own certificate and its key."""

    ca: Path | str | None = None
    certificate: Path | str | None = None
    key: Path | str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """These files as gRPC takes them."""
        ca, key, certificate = (
            Path(file).read_bytes() if file else None for file in (self.ca, self.key, self.certificate)
        )
        return grpc.ssl_channel_credentials(ca, key, certificate)


def authorization(token: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def repeatable(memory: StoreRequest) -> StoreRequest:
    """The same with a request id, unless it has an id: what makes a retry of Store safe."""
    if memory.id or memory.request_id:
        return memory
    copied = StoreRequest()
    copied.CopyFrom(memory)
    copied.request_id = str(uuid.uuid4())
    return copied


def repeatable_batch(batch: BatchStoreRequest) -> BatchStoreRequest:
    """The same for each memory of a batch."""
    return BatchStoreRequest(index=batch.index, memories=[repeatable(memory) for memory in batch.memories])
