"""A server with two workers, and a connection to each of them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.support.api import TIMEOUT, stub_for
from tests.support.server_process import ServerProcess, wait_for_log_lines

TWO_WORKERS = {"MEMORY_WORKERS": "2"}


@asynccontextmanager
async def channel_per_worker(server_process: ServerProcess) -> AsyncIterator[dict[int, grpc.aio.Channel]]:
    """Open a connection to each worker, by number. The log shows which worker served a connection."""
    await wait_for_log_lines(server_process, "serving", 2)
    channels: dict[int, grpc.aio.Channel] = {}
    async with AsyncExitStack() as stack:
        for n in range(64):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(server_process.address, options=options)
            )
            probe = f"{id(channels)}-{n}"
            await stub_for(channel).ListIndexes(
                pb.ListIndexesRequest(), timeout=TIMEOUT, metadata=(("x-request-id", probe),)
            )
            [line] = await wait_for_log_lines(server_process, "call", 1, request_id=probe)
            channels.setdefault(line["worker"], channel)
            if len(channels) == 2:
                yield channels
                return
    pytest.fail(f"64 connections reached only the workers {channels.keys()}")
