"""The world that tests need: a real engine, a real server on a real socket, and a client.

The engine is the server at MEMORY_TEST_VALKEY_URL, or an embedded one. Tests use indexes and users of their own, so
that they neither meet each other nor what the server holds; what they made is removed at the end.
"""

import logging
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import grpc
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr
from semantic_memory import MemoryClient
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded import EmbeddedValkey
from memory_service.logs import log_to_stderr
from memory_service.rpc.server import RpcServer
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url
from tests.support.api import TIMEOUT, Stub, delete_keys, stub_for
from tests.support.server_process import ServerProcess, run_server_process

hypothesis_settings.register_profile(
    "default",
    deadline=None,  # the machines are shared: time is no test here
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("default")

log_to_stderr(logging.ERROR)


@pytest.fixture(scope="session")
async def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The engine under test."""
    if given := os.environ.get("MEMORY_TEST_VALKEY_URL"):
        yield given
        return
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"), appendfsync="no")
    await valkey.start()
    yield f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
    await valkey.stop()


@pytest.fixture(scope="session")
async def engine(valkey_url: str) -> AsyncIterator[Connections]:
    """The engine itself, for what other software does to it. Removes at the end what the tests have left."""
    connections = Connections(parse_url(valkey_url, connections=1))
    await connections.open()
    yield connections
    for name in {bytes(one).decode() for one in await connections.run(["FT._LIST"])}:
        if name.startswith("test_"):
            await connections.run(["FT.DROPINDEX", name])
            base = name.removesuffix("_flat")
            await connections.run(["DEL", f"semantic_memory:index:{base}"])
            await delete_keys(connections, f"mem_{base}:*")
    await connections.close()


@pytest.fixture(scope="session")
def settings(valkey_url: str) -> Settings:
    """The settings of the server under test."""
    return Settings(
        listen="127.0.0.1:0",
        valkey_url=SecretStr(valkey_url),
        index=f"test_{uuid.uuid4().hex[:12]}",
        drain=0.0,
    )


@pytest.fixture(scope="session")
async def server(settings: Settings, engine: Connections) -> AsyncIterator[RpcServer]:  # noqa: ARG001 - raw cleans up last
    """A running server whose default index exists, with the local embedder."""
    async with run_server(settings) as server, grpc.aio.insecure_channel(server.address) as channel:
        await stub_for(channel).EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        yield server


@pytest.fixture(scope="session")
async def stub(server: RpcServer) -> AsyncIterator[Stub]:
    """A client of the server."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield stub_for(channel)


@pytest.fixture(scope="session")
def server_process(valkey_url: str, engine: Connections) -> Iterator[ServerProcess]:  # noqa: ARG001 - raw cleans up last
    """A server in a process of its own, whose default index exists, for tests that are sync."""
    with run_server_process(
        MEMORY_VALKEY_URL=valkey_url, MEMORY_INDEX=f"test_{uuid.uuid4().hex[:12]}"
    ) as server_process:
        with MemoryClient(server_process.address) as client:
            client.ensure_index(pb.EnsureIndexRequest())
        yield server_process


@pytest.fixture
def client(server_process: ServerProcess) -> Iterator[MemoryClient]:
    """A sync client of that server."""
    with MemoryClient(server_process.address) as client:
        yield client


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"user_{uuid.uuid4().hex}"


@pytest.fixture
def new_index() -> Callable[[], str]:
    """Makes names of indexes that no other test knows."""
    return lambda: f"test_{uuid.uuid4().hex[:12]}"
