"""Several workers on one port: what they share, and what stops the start."""

import asyncio
import socket
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.valkey import Connections
from memory_service.workers import reserved
from tests.faults.two_workers import TWO_WORKERS, channel_per_worker
from tests.support.api import TIMEOUT, search, store_request, stub_for
from tests.support.server_process import COMMAND, ServerProcess, environment, run_server_process, wait_for_log_lines

pytestmark = pytest.mark.slow

ALICE = memory_pb2.MemoryFilter(user_id="alice")


@pytest.fixture(scope="module")
def server_process(
    valkey_url: str,
    engine: Connections,  # noqa: ARG001 - cleans up after the server has stopped
) -> Iterator[ServerProcess]:
    """Two workers with metrics and an index of their own."""
    index = f"test_{uuid.uuid4().hex[:12]}"
    with run_server_process(
        MEMORY_VALKEY_URL=valkey_url, MEMORY_INDEX=index, MEMORY_METRICS_LISTEN="127.0.0.1:0", **TWO_WORKERS
    ) as server_process:
        yield server_process


async def test_workers_see_each_others_memories(server_process: ServerProcess) -> None:
    async with channel_per_worker(server_process) as channels:
        one, other = stub_for(channels[0]), stub_for(channels[1])
        await one.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        stored = [
            (await one.Store(store_request("alice", f"the canary sings {n}"), timeout=TIMEOUT)).id for n in range(3)
        ]
        hits, _ = await search(other, pb.SearchRequest(query_text="bird", filter=ALICE))
        assert {hit.memory.id for hit in hits} == set(stored)
        first = await one.List(pb.ListRequest(filter=ALICE, page_size=2), timeout=TIMEOUT)
        request = pb.ListRequest(filter=ALICE, page_size=2, page_token=first.next_page_token)
        rest = await other.List(request, timeout=TIMEOUT)
        assert {one.id for one in (*first.memories, *rest.memories)} == set(stored)
        assert [line["worker"] for line in server_process.call_lines("Store")] == [0] * 3
        assert [line["worker"] for line in server_process.call_lines("Search")] == [1]


async def test_each_worker_exports_its_own_metrics(server_process: ServerProcess) -> None:
    addresses = {
        line["worker"]: line["metrics_address"] for line in await wait_for_log_lines(server_process, "serving", 2)
    }

    def calls(worker: int) -> float:
        with urllib.request.urlopen(f"http://{addresses[worker]}/metrics", timeout=TIMEOUT) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = [one for family in families for one in family.samples if one.name == "grpc_server_started_total"]
        return sum(one.value for one in samples if one.labels["grpc_method"] == "GetIndex")

    async with channel_per_worker(server_process) as channels:
        await stub_for(channels[0]).EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        for worker, count in ((0, 2), (1, 3)):
            for _ in range(count):
                await stub_for(channels[worker]).GetIndex(pb.GetIndexRequest(), timeout=TIMEOUT)
    assert [await asyncio.to_thread(calls, worker) for worker in (0, 1)] == [2, 3]


def test_the_supervisor_loads_neither_grpc_nor_glide(server_process: ServerProcess) -> None:
    maps = Path(f"/proc/{server_process.process.pid}/maps").read_text()
    assert "python" in maps
    assert [name for name in ("cygrpc", "glide", "numpy", "onnxruntime") if name in maps] == []


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_second_service_on_the_same_port_is_refused(
    server_process: ServerProcess, tmp_path: Path, count: str
) -> None:
    done = start(MEMORY_LISTEN=server_process.address, MEMORY_DATA_DIR=str(tmp_path), MEMORY_WORKERS=count)
    assert done.returncode == 1
    assert f"MEMORY_LISTEN: cannot listen on {server_process.address}" in done.stderr


def test_workers_cannot_share_the_port_of_a_single_process(tmp_path: Path, valkey_url: str) -> None:
    with run_server_process(MEMORY_VALKEY_URL=valkey_url) as single:
        for setting in ("MEMORY_LISTEN", "MEMORY_HEALTH_LISTEN"):
            listen = {"MEMORY_LISTEN": "127.0.0.1:0", setting: single.address}
            done = start(MEMORY_DATA_DIR=str(tmp_path / "other"), **listen, **TWO_WORKERS)
            assert done.returncode == 1
            assert f"{setting}: cannot listen on {single.address}" in done.stderr


def test_the_port_is_reserved_before_a_worker_listens() -> None:
    with reserved("MEMORY_LISTEN", "127.0.0.1:0") as address:
        with pytest.raises(OSError, match="MEMORY_LISTEN"), reserved("MEMORY_LISTEN", address):
            pass
        host, _, port = address.rpartition(":")
        with socket.socket() as foreign:
            foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                foreign.bind((host, int(port)))


def start(**settings: str) -> subprocess.CompletedProcess[str]:
    """Start a server that is expected to fail."""
    return subprocess.run(
        [*COMMAND, "serve"], env=environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MEMORY_API_KEYS", "/nowhere"),
        ("MEMORY_WORKERS", "0"),
        ("MEMORY_LISTEN", "unix:/tmp/socket"),
        ("MEMORY_LISTEN", "nowhere.invalid:1"),
        ("MEMORY_METRICS_LISTEN", "127.0.0.1:65535"),
    ],
)
def test_an_invalid_setting_is_reported_once(tmp_path: Path, setting: str, value: str) -> None:
    settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DATA_DIR": str(tmp_path), "MEMORY_INSECURE": "1", **TWO_WORKERS}
    done = start(**{**settings, setting: value})
    assert done.returncode in {1, 2}
    [line] = [one for one in done.stderr.splitlines() if not one.startswith('{"')]
    assert setting in line
    assert "for example" in line


def test_a_metrics_port_missing_for_one_worker_stops_the_start(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_METRICS_LISTEN": f"127.0.0.1:{port - 1}", **TWO_WORKERS}
        done = start(MEMORY_DATA_DIR=str(tmp_path), **settings)
    assert done.returncode == 1
    [line] = [one for one in done.stderr.splitlines() if not one.startswith('{"')]
    assert line.startswith(f"error: MEMORY_METRICS_LISTEN: cannot listen on 127.0.0.1:{port}")
