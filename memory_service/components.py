"""Builds the parts of the server from its settings: access, the embedder, the engine connection and tracing.

Each function raises FailedPrecondition (SERVER_MISCONFIGURED) if a setting is wrong; the message names the setting.
"""

import asyncio
import contextlib
import os

import grpc

from memory_service.access.api_keys import ApiKeyVerifier
from memory_service.access.callers import Verifier
from memory_service.access.jwt_tokens import JwtSettings, JwtVerifier
from memory_service.distribution import install_command
from memory_service.domain.errors import FailedPrecondition, Reason
from memory_service.embedded import embedded_engine
from memory_service.embedding.bedrock import BedrockEmbedder, BedrockSettings
from memory_service.embedding.local import LocalEmbedder
from memory_service.rpc.server import SERVICE
from memory_service.rpc.tls import server_credentials
from memory_service.settings import Settings
from memory_service.telemetry.metrics import Metrics
from memory_service.telemetry.telemetry import Tracer
from memory_service.valkey import ConnectionSettings
from memory_service.valkey.url import parse_url


def build_access(settings: Settings) -> tuple[list[Verifier], grpc.ServerCredentials | None]:
    """Return the credential verifiers and, with TLS, the server credentials. Reads the key and certificate files."""
    verifiers: list[Verifier] = []
    credentials = None
    try:
        setting = "MEMORY_API_KEYS"
        if settings.api_keys is not None:
            verifiers.append(ApiKeyVerifier(settings.api_keys))
        setting = "MEMORY_TLS_CERT, MEMORY_TLS_KEY, MEMORY_TLS_CLIENT_CA"
        if settings.tls_cert is not None and settings.tls_key is not None:
            credentials = server_credentials(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    except OSError as error:
        first = setting.split(",")[0]
        example = f"{first}=/etc/semantic-memory/{first.removeprefix('MEMORY_').lower()}"
        message = f"{setting}: cannot read {error.filename}: {error.strerror}; for example {example}"
        raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, message) from error
    except ValueError as error:
        raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{setting}: {error}") from error
    if settings.jwt_jwks is not None and settings.jwt_issuer is not None and settings.jwt_audience is not None:
        tokens = JwtSettings(
            jwks=settings.jwt_jwks,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            users_claim=settings.jwt_users_claim,
            rights_claim=settings.jwt_rights_claim,
        )
        verifiers.append(JwtVerifier(tokens))
    return verifiers, credentials


def build_embedder(settings: Settings, metrics: Metrics | None = None) -> LocalEmbedder | BedrockEmbedder:
    """Return the embedding model that the settings select."""
    on_tokens = metrics.embedder_tokens.inc if metrics else lambda _: None
    if settings.embedder == "local":
        return LocalEmbedder(threads=settings.local_threads, on_tokens=on_tokens)
    return BedrockEmbedder(
        BedrockSettings(
            model=settings.bedrock_model,
            dimension=settings.bedrock_dimension,
            region=settings.bedrock_region,
            endpoint_url=settings.bedrock_endpoint_url,
            concurrency=settings.bedrock_concurrency,
        ),
        on_tokens=on_tokens,
    )


async def engine_connection(settings: Settings, stack: contextlib.AsyncExitStack) -> ConnectionSettings:
    """Return the connection settings of MEMORY_VALKEY_URL. If it is not set, start the embedded engine on the stack."""
    if settings.valkey_url is not None:
        url = settings.valkey_url.get_secret_value()
    else:
        url = await stack.enter_async_context(embedded_engine(settings.data_dir))
    return parse_url(url, connections=settings.valkey_connections, command_timeout=settings.valkey_timeout)


def build_tracing(settings: Settings, stack: contextlib.AsyncExitStack) -> Tracer | None:
    """Return the span exporter if the settings or the OpenTelemetry variables enable tracing; otherwise None."""
    has_endpoint = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") for name in ("ENDPOINT", "TRACES_ENDPOINT"))
    if not (has_endpoint if settings.traces is None else settings.traces):
        return None
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            message = f"{name}: only HTTP is supported; for example {name}=http/protobuf, to port 4318"
            raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, message)
    try:
        from memory_service.telemetry.tracing import OpenTelemetryTracer  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        message = (
            f"MEMORY_TRACES: OpenTelemetry is missing: {install_command(extra='otel')}; or set MEMORY_TRACES=false"
        )
        raise FailedPrecondition(Reason.SERVER_MISCONFIGURED, message) from error
    tracing = OpenTelemetryTracer(SERVICE)
    stack.push_async_callback(asyncio.to_thread, tracing.close)
    return tracing
