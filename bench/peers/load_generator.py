"""A load generator for HTTP/1.1 and for gRPC, so that all services have the same.

h2load, which the other benchmarks use, sends one body again and again. Here every call must differ: peers want ids of
the caller, and an HNSW graph of one vector is none. So this writes ready bytes to sockets and takes answers apart no
further than to see where they end: tens of microseconds a call, as `Outcome.own_cpu` tells. `bench.peers` checks it
against h2load.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_WIDE = 2**31 - 1 - 65_535
"""All that one connection may receive: more than any run sends, so that no window is ever renewed."""


@dataclass(frozen=True)
class Call:
    """A path and the body to post to it; of gRPC, framed."""

    path: str
    body: bytes


@dataclass
class Outcome:
    """Of some calls: seconds from the first to the last, seconds of each, answers in the order of the calls, and the
    load generator's own CPU seconds a call."""

    seconds: float
    times: list[float]
    answers: list[bytes]
    own_cpu: float

    def percentile(self, percent: float) -> float:
        """Of the times, in seconds."""
        return float(np.percentile(self.times, percent))


class Connection(Protocol):
    """One call at a time."""

    async def call(self, one: Call) -> bytes:
        """The answer's body."""


async def load(
    kind: "type[Http1 | Grpc]",
    address: str,
    calls: Sequence[Call],
    callers: int,
) -> Outcome:
    """Make all these calls, as many at once as there are callers, each with a connection of its own."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: kind(address), host, int(port)) for _ in range(callers)]
    connections = [one for _, one in made]
    times, answers = [0.0] * len(calls), [b""] * len(calls)
    numbers = iter(range(len(calls)))

    async def caller(connection: Connection) -> None:
        for number in numbers:
            began = time.perf_counter()
            answers[number] = await connection.call(calls[number])
            times[number] = time.perf_counter() - began

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(one) for one in connections))
    seconds, own = time.perf_counter() - started, time.process_time() - cpu
    for transport, _ in made:
        transport.close()
    return Outcome(seconds, times, answers, own / len(calls))


class _Waiting(asyncio.Protocol):
    """What both kinds have in common: one call is waited for."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio."""
        self._fail(f"the connection was lost: {exc}")

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(why))

    def _send(self, data: bytes) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._answer


class Http1(_Waiting):
    """A kept connection of HTTP/1.1."""

    async def call(self, one: Call) -> bytes:
        """The answer's body; anything but success raises."""
        head = f"POST {one.path} HTTP/1.1\r\nHost: {self._address}\r\nContent-Type: application/json\r\n"
        return await self._send(f"{head}Content-Length: {len(one.body)}\r\n\r\n".encode() + one.body)

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = bytes(self._buffer[end + 4 : end + 4 + length]), self._buffer[end + 4 + length :]
        assert self._answer is not None
        if head.split(b" ", 2)[1][:1] == b"2":
            self._answer.set_result(body)
        else:
            self._fail(f"{head.splitlines()[0].decode()}: {body[:500].decode()}")


class Grpc(_Waiting):
    """A connection of gRPC, with one stream after the other. Its status is not read: an error has no message."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._stream = -1
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        super().connection_made(transport)
        # No table of headers (1), so that ours may stay as they are; wide windows for streams (4) and all of them.
        settings = b"\0\1\0\0\0\0" + b"\0\4" + (2**24).to_bytes(4, "big")
        self._transport.write(
            _PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW, 0, 0, _WIDE.to_bytes(4, "big"))
        )

    async def call(self, one: Call) -> bytes:
        """The messages of the answer, framed; none raises."""
        self._stream += 2
        self._body.clear()
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": one.path,
            ":authority": self._address,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        block = b"".join(_literal(key) + _literal(value, b"") for key, value in headers.items())
        assert len(one.body) <= 16_384, "one DATA frame takes no more"
        return await self._send(
            _frame(_HEADERS, _END_HEADERS, self._stream, block) + _frame(_DATA, _END_STREAM, self._stream, one.body)
        )

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
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
                self._fail(f"the server ended it: frame {kind}, {payload!r}")
            if kind in {_DATA, _HEADERS} and flags & _END_STREAM and self._answer is not None:
                if self._body:
                    self._answer.set_result(bytes(self._body))
                else:
                    self._fail("a call failed: see the server's log")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(text: str, start: bytes = b"\0") -> bytes:
    """A name, or with an empty start a value, of a header field that no table keeps (RFC 7541, 6.2.2)."""
    assert len(text) < 127
    return start + bytes([len(text)]) + text.encode()


def messages(body: bytes) -> list[bytes]:
    """The messages that gRPC has framed into a body."""
    found = []
    while body:
        length = int.from_bytes(body[1:5], "big")
        found.append(body[5 : 5 + length])
        body = body[5 + length :]
    return found
