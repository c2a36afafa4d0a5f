"""Servers behind a DNS name, as behind a headless Service of Kubernetes. Clients find new servers in time."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import grpc
from semantic_memory.connection import OPTIONS

from memory_service.embedded.process import free_port
from tests.faults.call_table import stub_with_index
from tests.faults.dns_server import NameServer, name_server
from tests.faults.engine_process import EngineProcess
from tests.faults.load import NO_LOSS, audit_writes, load
from tests.faults.test_service_ends import Replica
from tests.support.api import TIMEOUT
from tests.support.scale import SCALE


@asynccontextmanager
async def servers_by_name(
    tmp_path: Path, **settings: str
) -> AsyncIterator[tuple[list[Replica], NameServer, grpc.aio.Channel]]:
    """Three servers with addresses of their own, and a channel to their name. Only the first runs and is in DNS."""
    port = free_port()
    async with EngineProcess(tmp_path) as engine, name_server("127.0.0.2") as dns:
        with ExitStack() as running:
            servers = [Replica(running, engine, f"127.0.0.{number}:{port}", **settings) for number in (2, 3, 4)]
            await servers[0].start()
            target = f"dns://{dns.authority}/memory.example:{port}"
            async with grpc.aio.insecure_channel(target, options=OPTIONS) as channel:
                await stub_with_index(channel)
                yield servers, dns, channel


async def test_no_call_fails_while_every_server_is_replaced_twice(tmp_path: Path) -> None:
    async with servers_by_name(tmp_path, MEMORY_DRAIN="1") as (servers, dns, channel):
        async with load(channel, deadline=TIMEOUT) as clients:
            for old, new in pairwise(servers):
                await new.start()
                dns.addresses = [new.host]
                await asyncio.sleep(1.0)
                assert await old.stop(signal.SIGTERM) == 0
            await asyncio.sleep(1.0)
        assert [error for client in clients for error in client.failures] == []
        assert await audit_writes(clients) == NO_LOSS


async def test_a_new_server_gets_calls_without_a_failed_call_as_connections_age(tmp_path: Path) -> None:
    async with servers_by_name(tmp_path, MEMORY_CONNECTION_AGE="1") as ([first, second, _], dns, channel):
        async with load(channel, deadline=TIMEOUT) as clients:
            await second.start()
            dns.addresses = [first.host, second.host]
            await asyncio.sleep(8 * SCALE)
        calls = [len(one.server_process.call_lines("Store")) for one in (first, second) if one.server_process]
        print(f"calls of the first server and of the new one: {calls}")
        assert calls[1] > 50
        assert [error for client in clients for error in client.failures] == []
