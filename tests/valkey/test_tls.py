"""Valkey over TLS, and with AWS tokens for a user. A proxy terminates TLS in front of the engine under test."""

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from memory_service.domain.errors import Unavailable
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url


@pytest.fixture
async def behind_tls(valkey_url: str, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """Host and port of the TLS proxy, and a file with the CA of its certificate."""
    node = parse_url(valkey_url).addresses[0]
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.cert_pem.bytes())

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(node.host, node.port)
        await asyncio.gather(pump(reader, downstream), pump(upstream, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", file


async def who_am_i(url: str) -> object:
    connections = Connections(parse_url(url, connections=1, command_timeout=5.0))
    await connections.open()
    try:
        return await connections.run(["ACL", "WHOAMI"])
    finally:
        await connections.close()


async def test_valkey_is_reached_over_tls(behind_tls: tuple[str, Path], valkey_url: str) -> None:
    address, ca = behind_tls
    credentials = valkey_url.partition("://")[2].rpartition("@")[0]
    at = f"{credentials}@{address}" if credentials else address
    assert await who_am_i(f"valkeys://{at}/?ca={ca}") == b"default"
    with pytest.raises(Unavailable):
        await who_am_i(f"valkeys://{at}")  # The system does not trust this CA.


async def test_aws_tokens_authenticate_a_user(
    behind_tls: tuple[str, Path], engine: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, ca = behind_tls
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    user = f"iam-{uuid.uuid4().hex[:8]}"
    # ElastiCache verifies the signed token; this user accepts any password.
    await engine.run(["ACL", "SETUSER", user, "on", "nopass", "~*", "+@all"])
    try:
        url = f"valkeys://{user}@{address}/?ca={ca}&iam=elasticache:eu-west-1:my-cluster"
        assert await who_am_i(url) == user.encode()
    finally:
        await engine.run(["ACL", "DELUSER", user])
