"""Misbehaving clients in a process of their own: `python -m tests.faults.bad_clients KIND ADDRESS COUNT`. Their calls
are spread over time, so that measurements beside them show the server and not the machine."""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.faults.call_table import SLOW_READER, WHERE
from tests.support.api import TIMEOUT, packed_embedding, stub_for
from tests.support.server_process import SERVICE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000040000000000")
BIG = pb.SearchRequest(query_embedding=packed_embedding(1.0), k=100, filter=WHERE)
"""A search that returns megabytes after `store_megabytes`."""


async def dropped_connections(address: str, count: int) -> None:
    """Connections that are dropped before any data, after the HTTP/2 preface, or in the middle of it."""
    for number in range(count):
        await _send_bytes(address, (b"", PREFACE + SETTINGS, PREFACE[:10])[number % 3])


async def garbage(address: str, count: int) -> None:
    """Random bytes, with or without a valid HTTP/2 start."""
    rng = random.Random(1)
    for number in range(count):
        noise = rng.randbytes(rng.randrange(1, 4000))
        frame = rng.randrange(16384).to_bytes(3, "big") + rng.randbytes(6) + noise
        payloads = (
            noise,
            PREFACE + noise,
            PREFACE + SETTINGS + frame,
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01",
        )
        await _send_bytes(address, payloads[number % len(payloads)])


async def malformed_messages(address: str, count: int) -> None:
    """Calls whose message is not valid protobuf, or is over the size limit."""
    async with grpc.aio.insecure_channel(address) as channel:
        for number in range(count):
            method = ("Store", "Get", "Unknown")[number % 3]
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/{method}")
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call(bytes(5 * 2**20) if number % 50 == 0 else os.urandom(200), timeout=TIMEOUT)
            await asyncio.sleep(0.005)


async def slow_readers(address: str, count: int) -> None:
    """Streams whose reader reads the first message, waits, and cancels."""

    async def read_slowly(channel: grpc.aio.Channel, number: int) -> None:
        await asyncio.sleep(0.1 * number)
        call = stub_for(channel).Search(BIG, timeout=TIMEOUT)
        await anext(aiter(call))
        await asyncio.sleep(3.0)
        call.cancel()

    for _ in range(0, count, 10):
        async with grpc.aio.insecure_channel(address, options=SLOW_READER) as channel:
            await asyncio.gather(*(read_slowly(channel, number) for number in range(10)))


async def complete_streams(address: str, count: int) -> None:
    """The same searches, read to their end: the cost for other clients without misbehaviour."""
    async with grpc.aio.insecure_channel(address) as channel:
        for _ in range(count):
            async for _ in stub_for(channel).Search(BIG, timeout=TIMEOUT):
                pass
            await asyncio.sleep(0.02)


async def cancelled_streams(address: str, count: int) -> None:
    """Streams that are cancelled before, during or after their first message."""
    async with grpc.aio.insecure_channel(address) as channel:
        for number in range(count):
            call = stub_for(channel).Search(BIG, timeout=TIMEOUT)
            if number % 3:
                await asyncio.sleep(0.01 * (number % 3))
            call.cancel()
            await asyncio.sleep(0.02)


async def short_deadlines(address: str, count: int) -> None:
    """Calls that give the server less time than their work takes."""
    async with grpc.aio.insecure_channel(address) as channel:
        for number in range(count):
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for _ in stub_for(channel).Search(BIG, timeout=0.0005 * (number % 40)):
                    pass
            await asyncio.sleep(0.02)


KINDS: dict[str, Callable[[str, int], Coroutine[Any, Any, None]]] = {
    "dropped_connections": dropped_connections,
    "garbage": garbage,
    "malformed_messages": malformed_messages,
    "slow_readers": slow_readers,
    "cancelled_streams": cancelled_streams,
    "short_deadlines": short_deadlines,
}


async def _send_bytes(address: str, words: bytes) -> None:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(words)
        await asyncio.sleep(0.002)
        writer.transport.abort()


if __name__ == "__main__":
    kinds = {**KINDS, "complete_streams": complete_streams}
    asyncio.run(kinds[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
