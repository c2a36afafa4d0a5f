"""The settings of a server, from environment variables: MEMORY_LISTEN, MEMORY_VALKEY_URL and so on."""

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
    """The settings of a server. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="MEMORY_", extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: str = "127.0.0.1:50051"
    """The address to serve gRPC at, HOST:PORT or unix:PATH; port 0 means a free port."""
    health_listen: str | None = Field(default=None, examples=["0.0.0.0:50052"])
    """A second address for health checks only, in plaintext and without credentials, for Kubernetes probes."""
    workers: int = Field(default=1, ge=1, le=64)
    """Server processes that share the port, to use several cores (Linux); see docs/runbook.md. Limits, cache and
    connections apply to each process."""
    insecure: bool = False
    """Allow other machines to connect in plaintext or without credentials. Only for private networks."""
    tls_cert: Path | None = None
    """The certificate chain of the server, a PEM file. The server reloads it and the files below when they change."""
    tls_key: Path | None = None
    """The private key of the certificate, a PEM file."""
    tls_client_ca: Path | None = None
    """The authorities that sign client certificates, a PEM file. If set, clients need a certificate (mTLS)."""
    api_keys: Path | None = None
    """The file of API keys: see memory_service.access.api_keys and `memory-service make-key`."""
    jwt_jwks: str | None = None
    """URL or file of the keys that sign JSON Web Tokens: see memory_service.access.jwt_tokens. Needs an issuer and an
    audience."""
    jwt_issuer: str | None = None
    """The required `iss` of tokens."""
    jwt_audience: str | None = None
    """The required `aud` of tokens."""
    jwt_users_claim: str = "sub"
    """The claim with the user id, or list of user ids, of a token."""
    jwt_rights_claim: str = "scope"
    """The claim with the rights of a token: memory.read memory.write memory.delete memory.admin memory.all_users."""
    caller_in_flight: int = Field(default=500, ge=1)
    """Concurrent calls of one caller."""
    caller_rate: float | None = Field(default=None, gt=0, examples=[50])
    """Calls per second of one caller; None: no limit."""
    request_bytes: int = Field(default=64 * 2**20, ge=16 * 2**20)
    """Memory for requests. If none is free, calls wait and then fail with RESOURCE_EXHAUSTED."""
    answer_bytes: int = Field(default=160 * 2**20, ge=2**20)
    """Memory for responses that are being sent, mostly to slow clients."""
    index: str = Field(default="memory_idx", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    """The default index, for requests that do not name one."""
    layout: Literal["json", "hash"] = "json"
    """The default layout of new indexes: JSON documents, which other software can read, or hashes, which use far less
    memory."""

    valkey_url: SecretStr | None = Field(default=None, examples=["valkey://valkey:6379"])
    """Valkey with valkey-search and valkey-json: see memory_service.valkey.url. None: start the embedded Valkey."""
    data_dir: Path = Field(default_factory=lambda: platformdirs.user_data_path("semantic_memory"))
    """The directory for data of the embedded Valkey."""
    valkey_connections: int = Field(default=8, ge=1, le=256)
    """Connections to Valkey; each has one command in progress."""
    valkey_timeout: Seconds = 10.0
    """Timeout of a command, and of a connection attempt. The deadline of a call may be shorter."""
    ef_runtime: int = Field(default=1000, ge=1, le=4096)
    """HNSW effort of a search over all users: a higher value finds more of the nearest memories and takes longer (see
    bench/recall.py)."""
    expiry_sweep_every: Annotated[float, Field(ge=0.1, le=60)] = 20.0
    """Interval of the search for expired memories that Valkey does not remove, because their Store was interrupted."""

    embedder: Literal["local", "bedrock"] = "local"
    """The embedder."""
    embedding_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    """Memory for the cache of recent embeddings."""
    embedder_queue: int = Field(default=1000, ge=1)
    """Texts that may wait for the embedder. The queue serves callers and users in turn. When it is full, calls of the
    caller with the most texts in it fail first, with RESOURCE_EXHAUSTED."""
    embedder_outages: int = Field(default=5, ge=1)
    """Consecutive outages after which the embedder gets no calls for five seconds."""
    local_threads: int = Field(default=1, ge=1, le=64)
    """Threads that the local model uses for one text."""
    bedrock_model: str = TITAN_V1
    """amazon.titan-embed-text-v1 or amazon.titan-embed-text-v2:0."""
    bedrock_dimension: int | None = Field(default=None, examples=[1024])
    """Dimensions of Titan v2: 1024 (default), 512 or 256."""
    bedrock_region: str | None = None
    """AWS region; None: AWS_REGION or the region of the AWS profile."""
    bedrock_endpoint_url: str | None = None
    """Another URL of Bedrock, such as a VPC endpoint."""
    bedrock_concurrency: int = Field(default=16, ge=1, le=256)
    """Concurrent calls to Bedrock."""

    metrics_listen: str | None = Field(default=None, examples=["127.0.0.1:9464"])
    """The address of the metrics for Prometheus, over plain HTTP, such as 127.0.0.1:9464; None: no metrics. The first
    worker uses this port, each further one the next port."""
    index_look_every: Seconds = 30.0
    """For metrics: interval between checks of the size and failures of the default index."""
    index_count_every: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    """For metrics: interval between counts of its keys, which scan every key of Valkey."""
    traces: bool | None = None
    """Send spans of calls by OTLP over HTTP. None: only if OTEL_EXPORTER_OTLP_ENDPOINT or
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, the address to send them to, is set. Needs the extra `otel`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged. Each call logs a line at level info, or warning if the service itself fails."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """auto: text on a terminal, JSON elsewhere."""
    log_sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of successful calls that are logged. Failed calls are always logged."""

    default_deadline: Seconds = 30.0
    """The deadline of calls without one. The limit for any call is ten times this."""
    max_concurrent_rpcs: int = Field(default=1000, ge=1)
    """Concurrent calls of all callers; further calls fail with RESOURCE_EXHAUSTED."""
    connection_age: Annotated[float, Field(ge=1, le=3600)] = 120.0
    """Time after which the server ends a connection, plus or minus a tenth, so that clients look the address up again
    and find new servers. Calls in progress have five minutes to finish."""
    drain: Annotated[float, Field(ge=0, le=600)] = 5.0
    """After SIGTERM: time to serve while not ready, so that load balancers can remove this server."""
    grace: Seconds = 20.0
    """After the drain: time for calls in progress to end."""

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError(
                "MEMORY_TLS_CERT: set MEMORY_TLS_CERT and MEMORY_TLS_KEY, or neither; for example tls.crt and tls.key"
            )
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("MEMORY_TLS_CLIENT_CA: it needs MEMORY_TLS_CERT and MEMORY_TLS_KEY")
        if len({value is None for value in (self.jwt_jwks, self.jwt_issuer, self.jwt_audience)}) > 1:
            raise ValueError(
                "MEMORY_JWT_JWKS: set MEMORY_JWT_JWKS, MEMORY_JWT_ISSUER and MEMORY_JWT_AUDIENCE, or none of them"
            )
        if self.insecure or is_loopback(self.listen):
            return self
        if self.tls_cert is None:
            raise ValueError(
                f"MEMORY_LISTEN: {self.listen} lets other machines connect in plaintext: set MEMORY_TLS_CERT and "
                "MEMORY_TLS_KEY, or, in a private network, MEMORY_INSECURE=true (serve --insecure)"
            )
        if self.tls_client_ca is None and self.api_keys is None and self.jwt_jwks is None:
            raise ValueError(
                f"MEMORY_LISTEN: {self.listen} lets anyone connect: set MEMORY_API_KEYS, MEMORY_JWT_JWKS or "
                "MEMORY_TLS_CLIENT_CA, or, in a private network, MEMORY_INSECURE=true (serve --insecure)"
            )
        return self

    @model_validator(mode="after")
    def _check_workers(self) -> Self:
        if self.workers == 1:
            return self
        if sys.platform != "linux":
            raise ValueError("MEMORY_WORKERS: several processes can share a port only on Linux; for example 1")
        for name in ("listen", "health_listen"):
            if str(getattr(self, name)).startswith("unix"):
                raise ValueError(
                    f"MEMORY_{name.upper()}: workers (MEMORY_WORKERS) share a TCP port; for example 127.0.0.1:50051"
                )
        port = parse_host_port(self.metrics_listen, free_port=True).port if self.metrics_listen else 0
        if port + self.workers - 1 > _LAST_PORT:
            raise ValueError(
                "MEMORY_METRICS_LISTEN: each worker (MEMORY_WORKERS) needs its own port; for example 127.0.0.1:9464"
            )
        return self

    @field_validator("listen", "health_listen")
    @classmethod
    def _parse_listen(cls, listen: str | None) -> str | None:
        return None if listen is None else parse_listen(listen)

    @field_validator("metrics_listen")
    @classmethod
    def _parse_metrics_listen(cls, listen: str | None) -> str | None:
        return None if listen is None else str(parse_host_port(listen, free_port=True))

    @field_validator("valkey_url")
    @classmethod
    def _check_valkey_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                parse_url(url.get_secret_value())
            except OSError as error:
                raise ValueError(f"ca: cannot read {error.filename}: {error.strerror}") from error
        return url
