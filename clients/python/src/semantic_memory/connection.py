"""Connection settings that the sync and the asyncio client share."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import grpc

from semantic_memory.v1.memory_service_pb2 import BatchStoreRequest, StoreRequest

DEFAULT_TIMEOUT = 30.0

OPTIONS: list[tuple[str, str | int]] = [
    # Round robin over the healthy servers, and retries of UNAVAILABLE for all calls that are safe to repeat.
    ("grpc.service_config", resources.files("semantic_memory").joinpath("service_config.json").read_text()),
    # By default, a name is looked up at most every 30 seconds, and a client may know only servers that have stopped.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Room for a hit whose context has only contents of maximum length.
    ("grpc.max_receive_message_length", 16 * 2**20),
]


def _without_search_retries(service_config: str) -> str:
    """Return the service config without gRPC's retries of a Search: see `semantic_memory.hits`."""
    config = json.loads(service_config)
    for of_methods in config["methodConfig"]:
        of_methods["name"] = [name for name in of_methods["name"] if name["method"] != "Search"]
    return json.dumps(config)


SYNC_OPTIONS: list[tuple[str, str | int]] = [
    (name, _without_search_retries(str(value)) if name == "grpc.service_config" else value) for name, value in OPTIONS
]
"""The options of the sync client."""


@dataclass(frozen=True)
class TLS:
    """PEM files for TLS; with a certificate and a key, for mutual TLS."""

    ca: Path | str | None = None
    """The authorities to trust. Default: those of the system."""
    certificate: Path | str | None = None
    """The client's own certificate."""
    key: Path | str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files."""
        ca, key, certificate = (
            Path(file).read_bytes() if file else None for file in (self.ca, self.key, self.certificate)
        )
        return grpc.ssl_channel_credentials(ca, key, certificate)


def authorization(token: str | None) -> tuple[tuple[str, str], ...]:
    """Return the call metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def with_request_id(memory: StoreRequest) -> StoreRequest:
    """Return the memory with a request id, unless it has an id. A retry of the Store then creates no duplicate."""
    if memory.id or memory.request_id:
        return memory
    copy = StoreRequest()
    copy.CopyFrom(memory)
    copy.request_id = str(uuid.uuid4())
    return copy


def with_request_ids(batch: BatchStoreRequest) -> BatchStoreRequest:
    """Return the batch with a request id for each memory that has no id."""
    return BatchStoreRequest(index=batch.index, memories=[with_request_id(memory) for memory in batch.memories])
