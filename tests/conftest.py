"""Fixtures for tests that need a real engine, a real server on a real socket, and a client.

The engine is the server at MEMORY_TEST_VALKEY_URL, or an embedded one. Tests use indexes and users of their own, so
that they neither affect each other nor the server's own data. The fixture `engine` removes their indexes at the end.

A module with `pytestmark = pytest.mark.both_layouts` runs each of its tests that need a server twice: with documents
stored as JSON, and as hashes.
"""

import logging
import os
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

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
from tests.support.bedrock_endpoint import Endpoint, bedrock_endpoint
from tests.support.server_process import ServerProcess, run_server_process

hypothesis_settings.register_profile(
    "default",
    deadline=None,  # CI machines are shared, so the time of one example means nothing
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("default")

log_to_stderr(logging.ERROR)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module marked `both_layouts` in each layout, if they need a server."""
    marked = any(metafunc.definition.iter_markers("both_layouts"))
    if marked and "index_layout" in metafunc.fixturenames:
        metafunc.parametrize("index_layout", ["json", "hash"], indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow files first: of several processes, none is then left with a long file at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the number of tests and the seconds of each layer."""
    reports = [one for several in terminalreporter.stats.values() for one in several]
    tests: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        if isinstance(report, pytest.TestReport):
            folder, layer, *_ = Path(report.nodeid.partition("::")[0]).parts
            name = layer if folder == "tests" else "client"
            tests[name] += report.when == "call"
            seconds[name] += report.duration
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True):
        terminalreporter.write_line(f"{name}: {tests[name]} tests, {seconds[name]:.0f} s")


@pytest.fixture(scope="session")
async def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of the engine under test."""
    if url := os.environ.get("MEMORY_TEST_VALKEY_URL"):
        yield url
        return
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"), appendfsync="no")
    await valkey.start()
    yield f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
    await valkey.stop()


@pytest.fixture(scope="session")
async def engine(valkey_url: str) -> AsyncIterator[Connections]:
    """Connections to the engine itself. Removes the indexes and memories of the tests at the end."""
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
def index_layout(request: pytest.FixtureRequest) -> str:
    """The layout of new indexes: that of MEMORY_LAYOUT or JSON, and each in turn for tests marked `both_layouts`."""
    layout: str = getattr(request, "param", os.environ.get("MEMORY_LAYOUT", "json"))
    return layout


@pytest.fixture(scope="session")
def settings_by_layout(valkey_url: str) -> dict[str, Settings]:
    """The settings of a server for each layout, each with a default index of its own."""
    layouts: list[Literal["json", "hash"]] = ["json", "hash"]
    return {
        layout: Settings(
            listen="127.0.0.1:0",
            valkey_url=SecretStr(valkey_url),
            index=f"test_{uuid.uuid4().hex[:12]}",
            layout=layout,
            drain=0.0,
        )
        for layout in layouts
    }


@pytest.fixture(scope="session")
def settings(settings_by_layout: dict[str, Settings], index_layout: str) -> Settings:
    """The settings of the server under test."""
    return settings_by_layout[index_layout]


@pytest.fixture(scope="session")
async def json_server(
    settings_by_layout: dict[str, Settings],
    engine: Connections,  # noqa: ARG001 - cleans up after the server has stopped
) -> AsyncIterator[RpcServer]:
    """A server whose new indexes hold JSON documents."""
    async with _server_with_index(settings_by_layout["json"]) as server:
        yield server


@pytest.fixture(scope="session")
async def hash_server(
    settings_by_layout: dict[str, Settings],
    engine: Connections,  # noqa: ARG001 - cleans up after the server has stopped
) -> AsyncIterator[RpcServer]:
    """A server whose new indexes hold hashes."""
    async with _server_with_index(settings_by_layout["hash"]) as server:
        yield server


@asynccontextmanager
async def _server_with_index(settings: Settings) -> AsyncIterator[RpcServer]:
    async with run_server(settings) as server, grpc.aio.insecure_channel(server.address) as channel:
        await stub_for(channel).EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        yield server


@pytest.fixture(scope="session")
def server(index_layout: str, request: pytest.FixtureRequest) -> RpcServer:
    """A running server in the layout of the test, with the local embedder; its default index exists."""
    # Both servers stay up until the end, so that a change of the layout starts none.
    server: RpcServer = request.getfixturevalue(f"{index_layout}_server")
    return server


@pytest.fixture(scope="session")
async def stub(server: RpcServer) -> AsyncIterator[Stub]:
    """An asyncio stub of the service on the server."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield stub_for(channel)


@pytest.fixture(scope="session")
def server_process(valkey_url: str, engine: Connections) -> Iterator[ServerProcess]:  # noqa: ARG001 - cleans up last
    """A server in a process of its own, for synchronous tests; its default index exists."""
    with run_server_process(
        MEMORY_VALKEY_URL=valkey_url, MEMORY_INDEX=f"test_{uuid.uuid4().hex[:12]}"
    ) as server_process:
        with MemoryClient(server_process.address) as client:
            client.ensure_index(pb.EnsureIndexRequest())
        yield server_process


@pytest.fixture
def client(server_process: ServerProcess) -> Iterator[MemoryClient]:
    """A synchronous client of the server process."""
    with MemoryClient(server_process.address) as client:
        yield client


@pytest.fixture
def user() -> str:
    """A user id that no other test uses."""
    return f"user_{uuid.uuid4().hex}"


@pytest.fixture
def new_index() -> Callable[[], str]:
    """A function that returns index names that no other test uses."""
    return lambda: f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A local endpoint that speaks Bedrock's wire format, and AWS credentials for it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with bedrock_endpoint() as endpoint:
        yield endpoint
