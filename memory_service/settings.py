"""Everything that can be set, from the environment: MEMORY_LISTEN, MEMORY_VALKEY_URL and so on."""

import sys
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from memory_service.addresses import is_loopback, parse_host_port, parse_listen
from memory_service.embedding.bedrock import TITAN_V1
from memory_service.valkey.url import parse_url

Seconds = Annotated[float, Field(gt=0, le=3600)]
_LAST_PORT = 65_535


class Settings(BaseSettings):
    """The settings of one server. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="MEMORY_", extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: str = "127.0.0.1:50051"
    """Where to serve gRPC, HOST:PORT or unix:PATH; port 0 takes a free one."""
    health_listen: str | None = Field(default=None, examples=["0.0.0.0:50052"])
    """Where to answer health checks in plaintext and without credentials, besides; for Kubernetes' probes."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that share the port, for a machine with several cores (Linux); see the runbook. Each has the limits,
    the cache and the connections that are set here."""
    insecure: bool = False
    """Serve beyond this machine in plaintext, or to anyone. A network that only trusted backends reach is what it is
    for."""
    tls_cert: Path | None = None
    """The server's certificate with its chain, a PEM file; read again when it changes, as the others here."""
    tls_key: Path | None = None
    """Its private key, a PEM file."""
    tls_client_ca: Path | None = None
    """Authorities whose clients alone are let in (mTLS), a PEM file."""
    api_keys: Path | None = None
    """The file of API keys: see memory_service.access.api_keys and `memory-service make-key`."""
    jwt_jwks: str | None = None
    """URL or file of the keys that sign JSON Web Tokens: see memory_service.access.jwt_tokens. Needs the next two."""
    jwt_issuer: str | None = None
    """The `iss` of good tokens."""
    jwt_audience: str | None = None
    """The `aud` of good tokens."""
    jwt_users_claim: str = "sub"
    """The claim with the user id, or the list of user ids, that a token is for."""
    jwt_rights_claim: str = "scope"
    """The claim with its rights: memory.read memory.write memory.delete memory.admin memory.all_users."""
    caller_in_flight: int = Field(default=500, ge=1)
    """Calls that one caller may have in flight."""
    caller_rate: float | None = Field(default=None, gt=0, examples=[50])
    """Calls that one caller may make a second; None: no limit."""
    request_bytes: int = Field(default=64 * 2**20, ge=16 * 2**20)
    """Memory for requests: what calls with more would take waits, and is then refused."""
    answer_bytes: int = Field(default=160 * 2**20, ge=2**20)
    """Memory for answers that are being sent, mostly to slow readers."""
    index: str = Field(default="memory_idx", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    """The index that a request means when it names none."""

    layout: Literal["json", "hash"] = "json"
    """How memories lie in Valkey, in new indexes that are asked for without a layout: as JSON documents, which other
    software can read, or as hashes, which take far less memory."""

    valkey_url: SecretStr | None = Field(default=None, examples=["valkey://valkey:6379"])
    """Valkey with valkey-search and valkey-json: see memory_service.valkey.url. None starts the embedded engine."""
    data_dir: Path = Field(default_factory=lambda: platformdirs.user_data_path("semantic_memory"))
    """Where the embedded engine keeps its data."""
    valkey_connections: int = Field(default=8, ge=1, le=256)
    """Connections to Valkey, each with one command in flight."""
    valkey_timeout: Seconds = 10.0
    """The longest wait for one command, and for a connection; a call's deadline may shorten it."""
    ef_runtime: int = Field(default=1000, ge=1, le=4096)
    """Effort of a search over all users: more finds more of the nearest and takes longer: see bench/recall.py."""

    expiry_sweep_every: Annotated[float, Field(ge=0.1, le=60)] = 20.0
    """How often to look for expired memories that the engine has not removed, because their Store was interrupted."""

    embedder: Literal["local", "bedrock"] = "local"
    """What makes embeddings."""
    embedding_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    """Memory for embeddings of texts seen lately."""
    embedder_queue: int = Field(default=1000, ge=1)
    """Texts that may wait for the embedder, in turn between callers and users; more are refused with
    RESOURCE_EXHAUSTED, those of the caller with the most texts in the queue first."""
    embedder_outages: int = Field(default=5, ge=1)
    """Outages in a row after which the embedder is given a pause of five seconds."""
    local_threads: int = Field(default=1, ge=1, le=64)
    """Threads that compute one text with the local model."""
    bedrock_model: str = TITAN_V1
    """amazon.titan-embed-text-v1 or amazon.titan-embed-text-v2:0."""
    bedrock_dimension: int | None = Field(default=None, examples=[1024])
    """Dimensions of Titan v2: 1024 (default), 512 or 256."""
    bedrock_region: str | None = None
    """AWS region; None takes AWS_REGION or the AWS profile's."""
    bedrock_endpoint_url: str | None = None
    """Another address of Bedrock, such as a VPC endpoint."""
    bedrock_concurrency: int = Field(default=16, ge=1, le=256)
    """Calls to Bedrock at once."""

    metrics_listen: str | None = Field(default=None, examples=["127.0.0.1:9464"])
    """Where to show metrics to Prometheus, over plain HTTP, such as 127.0.0.1:9464; None: nowhere. Of several workers
    the first is there, and each other one a port higher."""
    index_look_every: Seconds = 30.0
    """For metrics: how often to look at the default index, its size and its failures."""
    index_count_every: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    """For metrics: how often to count its keys as well, which is a walk over every key of the engine."""
    traces: bool | None = None
    """Send spans of calls by OTLP over HTTP; None: when OTEL_EXPORTER_OTLP_ENDPOINT is set, which says where to, or
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. Needs the extra `otel`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged. A line for each call is info, or warning when the service is in trouble."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """auto: text on a terminal, JSON elsewhere."""
    log_sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of successful calls that have their line in the log; those that fail always have."""

    default_deadline: Seconds = 30.0
    """For calls that have none. Ten times this is the longest for any."""
    max_concurrent_rpcs: int = Field(default=1000, ge=1)
    """More are refused with RESOURCE_EXHAUSTED."""
    drain: Annotated[float, Field(ge=0, le=600)] = 5.0
    """After SIGTERM: how long to serve on, not ready, while load balancers notice."""
    grace: Seconds = 20.0
    """Then: how long calls in flight may take to end."""

    @model_validator(mode="after")
    def _callers_are_known(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("MEMORY_TLS_CERT and MEMORY_TLS_KEY go together, such as tls.crt and tls.key of a secret")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("MEMORY_TLS_CLIENT_CA needs MEMORY_TLS_CERT and MEMORY_TLS_KEY")
        if len({one is None for one in (self.jwt_jwks, self.jwt_issuer, self.jwt_audience)}) > 1:
            raise ValueError("MEMORY_JWT_JWKS, MEMORY_JWT_ISSUER and MEMORY_JWT_AUDIENCE go together")
        if self.insecure or is_loopback(self.listen):
            return self
        if self.tls_cert is None:
            raise ValueError(
                f"MEMORY_LISTEN={self.listen} would serve in plaintext beyond this machine: set MEMORY_TLS_CERT and "
                "MEMORY_TLS_KEY, or MEMORY_INSECURE=true (serve --insecure) in a network that is safe"
            )
        if self.tls_client_ca is None and self.api_keys is None and self.jwt_jwks is None:
            raise ValueError(
                f"MEMORY_LISTEN={self.listen} would serve anyone: set MEMORY_API_KEYS, MEMORY_JWT_JWKS or "
                "MEMORY_TLS_CLIENT_CA, or MEMORY_INSECURE=true (serve --insecure) in a network that is safe"
            )
        return self

    @model_validator(mode="after")
    def _workers_can_share(self) -> Self:
        if self.workers == 1:
            return self
        if sys.platform != "linux":
            raise ValueError("MEMORY_WORKERS: only Linux shares a port out between processes; for example 1")
        for name in ("listen", "health_listen"):
            if str(getattr(self, name)).startswith("unix"):
                raise ValueError(f"MEMORY_{name.upper()}: MEMORY_WORKERS share a TCP port; for example 127.0.0.1:50051")
        port = parse_host_port(self.metrics_listen, free_port=True).port if self.metrics_listen else 0
        if port + self.workers - 1 > _LAST_PORT:
            raise ValueError("MEMORY_METRICS_LISTEN: each of MEMORY_WORKERS takes a port; for example 127.0.0.1:9464")
        return self

    @field_validator("listen", "health_listen")
    @classmethod
    def _listen_is_understood(cls, listen: str | None) -> str | None:
        return None if listen is None else parse_listen(listen)

    @field_validator("metrics_listen")
    @classmethod
    def _metrics_listen_is_understood(cls, listen: str | None) -> str | None:
        return None if listen is None else str(parse_host_port(listen, free_port=True))

    @field_validator("valkey_url")
    @classmethod
    def _valkey_url_is_understood(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                parse_url(url.get_secret_value())
            except OSError as error:
                raise ValueError(f"ca: cannot read {error.filename}: {error.strerror}") from error
        return url
