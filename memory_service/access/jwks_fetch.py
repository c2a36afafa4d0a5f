"""Fetches a JWKS, the public keys of an identity provider, from a URL or a file. Blocks: run it in a thread."""

import contextlib
import http.client
import socket
import urllib.request
from pathlib import Path
from threading import Timer
from typing import Any

import jwt
import orjson

_MAX_BYTES = 1 << 20


def fetch_jwks(source: str, timeout: float) -> bytes:
    """Return the content of a URL or a file. `timeout` limits the seconds from connecting to the last byte.

    Raises:
        OSError, http.client.HTTPException: the source cannot be read in time.
        ValueError: the content is too large.
    """
    if "://" not in source:
        return Path(source).read_bytes()
    sockets: list[socket.socket] = []
    opener = urllib.request.build_opener(_HttpHandler(sockets), _HttpsHandler(sockets))
    # A socket's timeout restarts with each byte: a server that sends byte by byte would block the thread for hours.
    timer = Timer(timeout, _shut_down, [sockets])
    timer.start()
    try:
        with opener.open(source, timeout=timeout) as response:
            content: bytes = response.read(_MAX_BYTES + 1)
    finally:
        timer.cancel()
    if len(content) > _MAX_BYTES:
        raise ValueError(f"the JWKS has more than {_MAX_BYTES} bytes")
    return content


def parse_jwks(content: bytes) -> dict[str | None, jwt.PyJWK]:
    """Return the keys of a JWKS by their ids; None is the id of a key without one.

    Raises:
        ValueError, jwt.PyJWTError: the content is not a JWKS.
    """
    document = orjson.loads(content)
    if not isinstance(document, dict):
        raise ValueError("a JWKS must be a JSON object")  # noqa: TRY004 - it is the content that is wrong
    keys = jwt.PyJWKSet.from_dict(document).keys
    return {key.key_id: key for key in keys if key.key_id is None or isinstance(key.key_id, str)}


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_recording_sockets(http.client.HTTPConnection, self._sockets), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_recording_sockets(http.client.HTTPSConnection, self._sockets), req)


def _recording_sockets(connection_class: type[http.client.HTTPConnection], sockets: list[socket.socket]) -> Any:
    """Return a factory of connections that append their sockets to a list, so that a timer can shut them down."""

    def create(host: str, **options: Any) -> http.client.HTTPConnection:
        connection = connection_class(host, **options)
        connect = connection.connect

        def connect_and_record() -> None:
            connect()
            sockets.append(connection.sock)

        connection.connect = connect_and_record  # type: ignore[method-assign]
        return connection

    return create


def _shut_down(sockets: list[socket.socket]) -> None:
    for connected in sockets:
        with contextlib.suppress(OSError):  # The socket is already closed.
            connected.shutdown(socket.SHUT_RDWR)
