"""Client connections for HTTP/1.1 and gRPC that write finished bytes and find the end of each response, no more."""

import asyncio
from dataclasses import dataclass
from typing import cast

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_CONNECTION_WINDOW = 2**31 - 1 - 65_535
"""The most that a connection may receive. No run receives as much, so that no window update is needed."""


@dataclass(frozen=True)
class Request:
    """A path and the body to post to it; for gRPC, with the length prefix."""

    path: str
    body: bytes


class _Connection(asyncio.Protocol):
    """A connection with one call in flight."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._response: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._fail(f"the connection was lost: {exc}")

    def _fail(self, reason: str) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_exception(ConnectionError(reason))

    def _send(self, data: bytes) -> asyncio.Future[bytes]:
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._response


class Http1Connection(_Connection):
    """A persistent HTTP/1.1 connection."""

    async def call(self, request: Request) -> bytes:
        """Return the response's body.

        Raises:
            ConnectionError: the status is not a success.
        """
        head = f"POST {request.path} HTTP/1.1\r\nHost: {self._address}\r\nContent-Type: application/json\r\n"
        return await self._send(f"{head}Content-Length: {len(request.body)}\r\n\r\n".encode() + request.body)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = bytes(self._buffer[end + 4 : end + 4 + length]), self._buffer[end + 4 + length :]
        assert self._response is not None
        if head.split(b" ", 2)[1][:1] == b"2":
            self._response.set_result(body)
        else:
            self._fail(f"{head.splitlines()[0].decode()}: {body[:500].decode()}")


class GrpcConnection(_Connection):
    """A gRPC connection with one stream at a time. It does not read gRPC's status: an error has no message."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._stream = -1
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        # Header table size 0 (setting 1), so that every request has the same headers; wide stream windows (setting 4).
        settings = b"\0\1\0\0\0\0" + b"\0\4" + (2**24).to_bytes(4, "big")
        window = _frame(_WINDOW, 0, 0, _CONNECTION_WINDOW.to_bytes(4, "big"))
        self._transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + window)

    async def call(self, request: Request) -> bytes:
        """Return the response's messages with their length prefixes.

        Raises:
            ConnectionError: there is none.
        """
        self._stream += 2
        self._body.clear()
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": request.path,
            ":authority": self._address,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        block = b"".join(_header_field(name, value) for name, value in headers.items())
        assert len(request.body) <= 16_384, "the request does not fit into one DATA frame"
        return await self._send(
            _frame(_HEADERS, _END_HEADERS, self._stream, block) + _frame(_DATA, _END_STREAM, self._stream, request.body)
        )

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 9 and len(buffer) >= 9 + (length := int.from_bytes(buffer[:3], "big")):
            kind, flags, payload = buffer[3], buffer[4], bytes(buffer[9 : 9 + length])
            del buffer[: 9 + length]
            if kind == _DATA:
                self._body += payload
            elif kind in {_SETTINGS, _PING} and not flags & _ACK:
                self._transport.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
            elif kind in {_RESET, _GOAWAY}:
                self._fail(f"the server ended the call: frame {kind}, {payload!r}")
            if kind in {_DATA, _HEADERS} and flags & _END_STREAM and self._response is not None:
                if self._body:
                    self._response.set_result(bytes(self._body))
                else:
                    self._fail("a call failed: see the server's log")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _header_field(name: str, value: str) -> bytes:
    """Return a literal header field without indexing (RFC 7541, 6.2.2)."""
    assert len(name) < 127
    assert len(value) < 127
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def grpc_messages(body: bytes) -> list[bytes]:
    """Split a gRPC body into its messages."""
    messages = []
    while body:
        length = int.from_bytes(body[1:5], "big")
        messages.append(body[5 : 5 + length])
        body = body[5 + length :]
    return messages
