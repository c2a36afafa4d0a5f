"""Everything that can be set, from the environment: MEMORY_LISTEN, MEMORY_VALKEY_URL and so on."""

from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from memory_service.embedding.bedrock import TITAN_V1
from memory_service.engine.url import parse_url

Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """The settings of one server. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="MEMORY_", extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: str = "127.0.0.1:50051"
    """Where to serve gRPC; port 0 takes a free one."""
    index: str = Field(default="memory_idx", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    """The index that a request means when it names none."""

    valkey_url: SecretStr | None = None
    """Valkey with valkey-search and valkey-json: see memory_service.engine.url. None starts the embedded engine."""
    data_dir: Path = Field(default_factory=lambda: platformdirs.user_data_path("semantic_memory"))
    """Where the embedded engine keeps its data."""
    valkey_connections: int = Field(default=8, ge=1, le=256)
    """Connections to Valkey, each with one command in flight."""
    valkey_timeout: Seconds = 10.0
    """The longest wait for one command, and for a connection; a call's deadline may shorten it."""
    ef_runtime: int = Field(default=200, ge=1, le=4096)
    """Effort of a search over all users: more finds more of the nearest and takes longer."""

    embedder: Literal["local", "bedrock"] = "local"
    """What makes embeddings."""
    embedding_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    """Memory for embeddings of texts seen lately."""
    local_threads: int = Field(default=1, ge=1, le=64)
    """Threads that compute one text with the local model."""
    bedrock_model: str = TITAN_V1
    """amazon.titan-embed-text-v1 or amazon.titan-embed-text-v2:0."""
    bedrock_dimension: int | None = None
    """Dimensions of Titan v2: 1024 (default), 512 or 256."""
    bedrock_region: str | None = None
    """AWS region; None takes AWS_REGION or the AWS profile's."""
    bedrock_endpoint_url: str | None = None
    """Another address of Bedrock, such as a VPC endpoint."""
    bedrock_concurrency: int = Field(default=16, ge=1, le=256)
    """Calls to Bedrock at once."""

    default_deadline: Seconds = 30.0
    """For calls that have none. Ten times this is the longest for any."""
    max_concurrent_rpcs: int = Field(default=1000, ge=1)
    """More are refused with RESOURCE_EXHAUSTED."""
    drain: Annotated[float, Field(ge=0, le=600)] = 5.0
    """After SIGTERM: how long to serve on, not ready, while load balancers notice."""
    grace: Seconds = 20.0
    """Then: how long calls in flight may take to end."""

    @field_validator("valkey_url")
    @classmethod
    def _valkey_url_is_understood(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parse_url(url.get_secret_value())
        return url
