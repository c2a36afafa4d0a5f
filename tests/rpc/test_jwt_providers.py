"""Where the keys of JSON Web Tokens come from: a file or a provider that rotates keys, is slow or is unreachable."""

import asyncio
import contextlib
import json
import socket
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.access import jwks as jwks_module
from memory_service.access.jwks_fetch import fetch_jwks, parse_jwks
from memory_service.domain.errors import Unavailable
from memory_service.settings import Settings
from tests.support.api import TIMEOUT
from tests.support.authorization_cases import ALICE, CALLS, status_of
from tests.support.credentials import (
    AUDIENCE,
    ISSUER,
    error_reason,
    jwks,
    server_with_auth,
    stub_with_credential,
    token,
)


class KeyServer:
    """The key URL of an identity provider."""

    def __init__(self) -> None:
        self.keys = jwks()
        self.requests = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(provider.keys).encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/jwks"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


async def test_provider_keys_rotate_and_unknown_key_ids_cause_no_fetch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = KeyServer()
    provider.keys = jwks("ES256")
    async with server_with_auth(settings, jwt_jwks=provider.url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one:

        async def code(credential: str) -> grpc.StatusCode:
            async with stub_with_credential(one, credential) as stub:
                return await status_of(CALLS["List"][1](stub, "alice"))

        assert await code(token("ES256")) is grpc.StatusCode.OK
        assert [await code(token(kid=f"made up {n}")) for n in range(20)] == [grpc.StatusCode.UNAUTHENTICATED] * 20
        assert provider.requests == 1
        provider.keys = jwks()
        monkeypatch.setattr(jwks_module, "_MIN_FETCH_INTERVAL", 0.0)
        assert await code(token("EdDSA")) is grpc.StatusCode.OK, "a new key is fetched on first use"
        provider.stop()
        monkeypatch.setattr(jwks_module, "_REFRESH_INTERVAL", 0.0)
        assert await code(token("RS256")) is grpc.StatusCode.OK, "known keys stay valid while the provider is down"


async def test_an_unreachable_provider_makes_calls_unavailable(settings: Settings) -> None:
    nowhere = "http://127.0.0.1:9/jwks"
    async with (
        server_with_auth(settings, jwt_jwks=nowhere, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one,
        stub_with_credential(one, token()) as stub,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error_reason(caught.value) == "ACCESS_UNAVAILABLE"


class SlowKeyServer:
    """A key URL that sends the header or the content one byte at a time, or nothing."""

    def __init__(self, repeated_byte: bytes = b"", first_bytes: bytes = b"") -> None:
        self.request_received = Event()
        self._first_bytes, self._repeated_byte = first_bytes, repeated_byte
        self._ended = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/jwks"
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            self.request_received.set()
            connection.sendall(self._first_bytes)
            while not self._ended.wait(0.05):
                connection.sendall(self._repeated_byte)

    def stop(self) -> None:
        self._ended.set()
        self._listener.close()


SLOW = {
    "sends nothing": (b"", b""),
    "drips its header": (b"a", b"HTTP/1.1 200 OK\r\nx: "),
    "drips its content": (b" ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
    "drips content without an end": (b" ", b"HTTP/1.1 200 OK\r\n\r\n"),
}


@pytest.mark.parametrize("case", SLOW)
async def test_a_slow_provider_does_not_delay_calls_with_known_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(jwks_module, "_REFRESH_INTERVAL", 0.0)
    slow = SlowKeyServer(*SLOW[case])
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(jwks("ES256")))
    known = jwks_module.JwksCache(str(file))
    await known.key("ES256")
    known._source = slow.url
    monkeypatch.setattr(jwks_module, "_FETCH_TIMEOUT", 2 * TIMEOUT)
    for _ in range(3):
        assert (await known.key("ES256")).key_id == "ES256"
        assert await asyncio.to_thread(slow.request_received.wait, TIMEOUT)
    assert known._fetch_task is not None, "the fetch continues in the background"
    slow.stop()


@pytest.mark.parametrize("case", SLOW)
async def test_a_call_with_an_unknown_key_waits_at_most_for_the_fetch_timeout(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(jwks_module, "_FETCH_TIMEOUT", 0.5)
    slow = SlowKeyServer(*SLOW[case])
    async with (
        server_with_auth(settings, jwt_jwks=slow.url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one,
        stub_with_credential(one, token()) as stub,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error_reason(caught.value) == "ACCESS_UNAVAILABLE"
    slow.stop()


@pytest.mark.parametrize("case", SLOW)
def test_a_fetch_thread_ends_at_its_timeout(case: str) -> None:
    slow = SlowKeyServer(*SLOW[case])
    with pytest.raises((OSError, HTTPException, ValueError)):
        parse_jwks(fetch_jwks(slow.url, timeout=0.5))
    slow.stop()


async def test_only_a_limited_number_of_calls_wait_for_a_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks_module, "_MAX_WAITING", 3)
    slow = SlowKeyServer(*SLOW["sends nothing"])
    keys = jwks_module.JwksCache(slow.url)
    waiting = [asyncio.create_task(keys.key(f"made up {n}")) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await keys.key("one more")
    assert not any(one.done() for one in waiting)
    for one in waiting:
        one.cancel()
    slow.stop()


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1, {"kid": []}]}', b"\xff", b"null"])
async def test_a_file_that_is_not_a_jwks_is_unavailable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "jwks.json").write_bytes(content)
    with pytest.raises(Unavailable):
        await jwks_module.JwksCache(str(tmp_path / "jwks.json")).key("any")
