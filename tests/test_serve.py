"""`memory-service` as its users run it: processes, signals, exit statuses and text."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from tests.world import TIMEOUT, connected, message, packed, search

SERVICE = "semantic_memory.v1.MemoryService"
COMMAND = [sys.executable, "-m", "memory_service"]


class Served:
    """A running `memory-service serve`: its process, its address and its first log line."""

    def __init__(self, process: subprocess.Popen[str], address: str, first_line: dict[str, str]) -> None:
        self.process = process
        self.address = address
        self.first_line = first_line

    def cli(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command against the server."""
        return cli(self.address, *arguments, status=status)

    def engine(self) -> psutil.Process:
        """The embedded engine."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        [engine] = [one for one in children if "valkey-server" in one.name()]
        return engine


def cli(address: str, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(MEMORY_ADDRESS=address, COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMORY_", "FORCE_COLOR"))}
    return {**kept, **changes}


@contextmanager
def serving(**settings: str) -> Iterator[Served]:
    """Run the server until the context closes."""
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env=environment(**{"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DRAIN": "0", **settings}),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        lines = []
        for line in process.stderr:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "serving":
                break
        else:
            pytest.fail(f"it ended: {lines}")
        yield Served(process, lines[-1]["address"], lines[0])
    finally:
        if process.poll() is None:
            process.terminate()
        process.stderr.close()
        process.wait(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with an embedded engine and an index."""
    with serving(MEMORY_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as served:
        served.cli("ensure-index")
        yield served


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), TIMEOUT)
        yield channel


def wait_until_gone(process: psutil.Process, seconds: float = 20.0) -> None:
    """Fail if the process lives on; the bound is generous, and only for when it does."""
    psutil.wait_procs([process], timeout=seconds)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_commands_do_the_main_job(served: Served) -> None:
    stored = served.cli("store", "We deployed to ECS using a blue-green strategy", "-u", "cli", "-s", "sess_1")
    assert stored.stdout.startswith("stored ")
    served.cli("store", "Valkey HNSW index provides vector search", "-u", "cli", "--role", "assistant", "--id", "m2")
    found = served.cli("search", "How do I deploy?", "-u", "cli").stdout.splitlines()
    assert "We deployed to ECS" in found[0]
    assert "sess_1" in found[0]
    assert found[0].startswith("+0.")
    assert "2 of 2 candidates" in found[2]
    assert "We deployed" not in served.cli("search", "deploy", "-u", "cli", "--role", "assistant").stdout
    assert "Valkey HNSW" in served.cli("get", "m2", "-u", "cli").stdout
    assert "deleted m2" in served.cli("delete", "m2", "nothing", "-u", "cli").stdout
    assert "NOT_FOUND" in served.cli("get", "m2", "-u", "cli", status=1).stderr
    assert "all-minilm-l6-v2-int8" in served.cli("indexes").stdout
    assert "already as asked" in served.cli("ensure-index").stdout
    assert served.cli("health").stdout == "SERVING\n"
    assert served.cli("health", "live").stdout == "SERVING\n"


def test_json_is_the_contracts(served: Served) -> None:
    stored = json.loads(served.cli("store", "json", "-u", "j", "--at", "2026-01-02T03:04:05", "--json").stdout)
    assert stored["timestamp"] == "2026-01-02T03:04:05Z"
    assert json.loads(served.cli("get", stored["id"], "-u", "j", "--json").stdout)["content"] == "json"
    lines = served.cli("search", "json", "-u", "j", "--json", "--since", "2026-01-01", "--until", "2026-02-01").stdout
    [response] = [json.loads(line) for line in lines.splitlines()]
    assert response["hits"][0]["memory"]["user_id"] == "j"
    assert response["summary"]["hit_count"] == 1
    assert json.loads(served.cli("delete", stored["id"], "-u", "j", "--json").stdout)["deleted_ids"] == [stored["id"]]
    assert json.loads(served.cli("indexes", "--json").stdout)["indexes"][0]["name"] == "memory_idx"
    assert json.loads(served.cli("ensure-index", "--json").stdout)["index"]["dimension"] == 384
    assert json.loads(served.cli("health", "--json").stdout) == {"status": "SERVING"}


def test_errors_say_what_to_do(served: Served) -> None:
    refused = served.cli("search", "q", status=1).stderr
    assert "INVALID_ARGUMENT" in refused
    assert "name a user_id, or set all_users" in refused
    assert "k:" in served.cli("search", "q", "-u", "a", "-k", "0", status=1).stderr
    assert "call EnsureIndex first" in served.cli("search", "q", "-u", "a", "--index", "none", status=1).stderr
    nowhere = cli("127.0.0.1:1", "indexes", status=1).stderr
    assert "UNAVAILABLE" in nowhere
    assert "memory-service serve" in nowhere


async def test_health_and_reflection_serve_any_grpc_client(served: Served) -> None:
    async with channel_to(served.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=TIMEOUT)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND

        async def ask(**question: str) -> reflection_pb2.ServerReflectionResponse:
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(timeout=TIMEOUT)
            await call.write(reflection_pb2.ServerReflectionRequest(**question))
            await call.done_writing()
            response: reflection_pb2.ServerReflectionResponse = await call.read()
            return response

        listed = await ask(list_services="")
        assert SERVICE in [one.name for one in listed.list_services_response.service]
        described = await ask(file_containing_symbol=SERVICE)
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(one)
            for one in described.file_descriptor_response.file_descriptor_proto
        ]
        assert "semantic_memory/v1/memory_service.proto" in [file.name for file in files]


async def test_all_data_survives_a_restart(tmp_path: Path) -> None:
    where = memory_pb2.MemoryFilter(user_id="alice")
    request = pb.SearchRequest(query_text="canary", filter=where)
    with serving(MEMORY_DATA_DIR=str(tmp_path)) as first:
        assert first.first_line["event"] == "starting_embedded_engine"
        assert first.first_line["data_dir"] == str(tmp_path)
        async with channel_to(first.address) as channel:
            memories = connected(channel)
            await memories.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            stored = await memories.Store(message("alice", "canary deploys"), timeout=TIMEOUT)
            before, _ = await search(memories, request)
    with serving(MEMORY_DATA_DIR=str(tmp_path)) as second:
        async with channel_to(second.address) as channel:
            after, _ = await search(connected(channel), request)
    assert [hit.memory.id for hit in after] == [stored.id]
    assert after == before


async def test_an_acknowledged_write_survives_kill_9_of_the_service(tmp_path: Path) -> None:
    with serving(MEMORY_DATA_DIR=str(tmp_path)) as first:
        engine = first.engine()
        async with channel_to(first.address) as channel:
            memories = connected(channel)
            await memories.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            requests = [
                pb.StoreRequest(user_id="a", role=memory_pb2.ROLE_USER, content=f"{n}", embedding=packed(1.0, n))
                for n in range(50)
            ]
            stored = await asyncio.gather(*(memories.Store(one, timeout=TIMEOUT) for one in requests))
            first.process.kill()
    await asyncio.to_thread(wait_until_gone, engine)
    with serving(MEMORY_DATA_DIR=str(tmp_path)) as second:
        async with channel_to(second.address) as channel:
            request = pb.SearchRequest(query_text="q", k=100, filter=memory_pb2.MemoryFilter(user_id="a"))
            hits, _ = await search(connected(channel), request)
    assert {hit.memory.id for hit in hits} == {one.id for one in stored}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with serving(MEMORY_DATA_DIR=str(tmp_path)) as served:
        engine = served.engine()
        served.process.send_signal(number)
        assert served.process.wait(30) == 0
        wait_until_gone(engine)


async def test_sigterm_says_not_ready_first_and_serves_on_while_it_drains(tmp_path: Path) -> None:
    with serving(MEMORY_DATA_DIR=str(tmp_path), MEMORY_DRAIN="3") as served:
        async with channel_to(served.address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            states = []
            async for response in watch:
                states.append(response.status)
                if response.status == health_pb2.HealthCheckResponse.SERVING:
                    served.process.terminate()
                elif len(states) > 1 and health_pb2.HealthCheckResponse.SERVING in states:
                    break
            assert states[-1] == health_pb2.HealthCheckResponse.NOT_SERVING
            watch.cancel()
            answer = await connected(channel).ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
            assert list(answer.indexes) == []
        assert await asyncio.to_thread(served.process.wait, 30) == 0


async def test_readiness_follows_the_engine_and_calls_tell_of_it(tmp_path: Path) -> None:
    with serving(MEMORY_DATA_DIR=str(tmp_path), MEMORY_VALKEY_TIMEOUT="2") as served:
        async with channel_to(served.address) as channel:
            memories = connected(channel)
            await memories.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            engine = served.engine()
            engine.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await memories.Store(message("a", "while it stands still"), timeout=TIMEOUT)
                assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await memories.Store(message("a", "while it stands still"), timeout=0.5)
                assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
                await health_becomes(channel, health_pb2.HealthCheckResponse.NOT_SERVING)
            finally:
                engine.send_signal(signal.SIGCONT)
            await health_becomes(channel, health_pb2.HealthCheckResponse.SERVING)
            await memories.Store(message("a", "after it"), timeout=TIMEOUT)


async def health_becomes(channel: grpc.aio.Channel, wanted: health_pb2.HealthCheckResponse.ServingStatus) -> None:
    """Wait for a state of readiness; the bound is only for when it never comes."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        if (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT)).status == wanted:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"readiness never became {wanted}")


def test_one_data_directory_serves_one_server(tmp_path: Path) -> None:
    with serving(MEMORY_DATA_DIR=str(tmp_path)):
        other = subprocess.run(
            [*COMMAND, "serve"],
            env=environment(MEMORY_LISTEN="127.0.0.1:0", MEMORY_DATA_DIR=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert other.returncode == 1
    assert "MEMORY_DATA_DIR" in other.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMORY_VALKEY_URL", "http://user:secret@host"),
        ("MEMORY_EMBEDDER", "hash"),
        ("MEMORY_INDEX", "Not An Index"),
        ("MEMORY_VALKEY_CONNECTIONS", "0"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(name: str, value: str) -> None:
    done = subprocess.run(
        [*COMMAND, "serve"],
        env=environment(**{name: value}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert name in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_finds_the_deploys_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo"],
        env=environment(COLUMNS="200", TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first = done.stdout.split("Search:")[1].splitlines()
    assert [line.split()[1] for line in first[1:4]] == ["sess_1", "sess_3", "sess_2"]
    last = done.stdout.split("Search:")[-1]
    assert "blue-green" not in last
    assert "CodePipeline" in last
    assert list(tmp_path.iterdir()) == []
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]


def test_texts_in_brackets_are_printed_as_they_are(served: Served) -> None:
    served.cli("store", "see [red]alert[/] and [/bold]", "-u", "b", "--id", "[/x]")
    assert "see [red]alert[/] and [/bold]" in served.cli("search", "alert", "-u", "b").stdout
    assert "[/x]" in served.cli("delete", "[/x]", "[/y]", "-u", "b").stdout
