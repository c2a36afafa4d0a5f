"""An import stores all valid memories of a file despite interruptions, and reports the others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client
from memory_service.cli.archive import Header, memory_line
from memory_service.cli.exporting import export
from memory_service.cli.importing import import_file
from memory_service.rpc.server import RpcServer
from tests.cli.test_transfer import DIMENSION, EVERYONE, everything, run
from tests.support.api import Stub, packed_embedding


def memory(number: int, **changed: Any) -> memory_pb2.Memory:
    return memory_pb2.Memory(
        **{
            "id": f"m{number}",
            "user_id": "user",
            "role": memory_pb2.ROLE_USER,
            "content": f"message {number}",
            "timestamp": Timestamp(seconds=number),
            "embedding": packed_embedding(1.0, number, dimension=DIMENSION),
            **changed,
        }
    )


def file_of(path: Path, index: str, *lines: bytes) -> Path:
    """Write an export with these lines."""
    path.write_bytes(Header(index, "ours", DIMENSION, {}).line() + b"".join(lines))
    return path


class FaultyClient:
    """A client that replaces the responses of BatchStore, or raises errors."""

    def __init__(self, stub: Stub, answer: Callable[[int, pb.BatchStoreResponse], pb.BatchStoreResponse]) -> None:
        self._memories = stub
        self._answer = answer
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memories, name)

    async def BatchStore(self, request: pb.BatchStoreRequest, timeout: float) -> pb.BatchStoreResponse:  # noqa: N802, ASYNC109
        self.batches.append(len(request.memories))
        call = len(self.batches)
        return self._answer(call, await self._memories.BatchStore(request, timeout=timeout))


async def test_an_interrupted_import_resumes_where_it_stopped(
    stub: Stub, new_index: Callable[[], str], tmp_path: Path
) -> None:
    index = new_index()
    path = file_of(tmp_path / "file", index, *(memory_line(memory(number)) for number in range(1000)))

    def lost(call: int, response: pb.BatchStoreResponse) -> pb.BatchStoreResponse:
        if call > 7:
            raise grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL)
        return response

    intercepted_stub: Any = FaultyClient(stub, lost)
    with pytest.raises(grpc.aio.AioRpcError):
        await import_file(intercepted_stub, path)
    place = json.loads((tmp_path / "file.progress").read_text())
    assert path.read_bytes()[: place["offset"]].count(b"\n") == place["line"]
    done = place["line"] - 1
    assert done >= 400, "all but the batches in progress"
    assert {f"m{number}" for number in range(done)} <= {one.id for one in await everything(stub, index)}
    tally = await import_file(stub, path, resume=True)
    assert tally.imported + tally.already == 1000 - done
    assert len(await everything(stub, index)) == 1000
    assert not (tmp_path / "file.progress").exists(), "a complete import cannot be resumed"


@pytest.mark.parametrize(
    "progress", ['{"index": "another", "offset": 10, "line": 1}', '{"index": "INDEX", "offset": 10, "line": 1}', "{"]
)
async def test_a_resumed_import_needs_the_same_file_and_index(
    stub: Stub, new_index: Callable[[], str], tmp_path: Path, progress: str
) -> None:
    path = file_of(tmp_path / "file", index := new_index(), memory_line(memory(1)))
    (tmp_path / "file.progress").write_text(progress.replace("INDEX", index))
    with pytest.raises(typer.Exit):
        await import_file(stub, path, resume=True)
    assert (await import_file(stub, path)).imported == 1


async def test_an_import_retries_while_the_server_is_busy(
    stub: Stub, new_index: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_DELAYS", (0.0, 0.0, 0.0))
    path = file_of(tmp_path / "file", new_index(), *(memory_line(memory(number)) for number in range(10)))

    def busy(call: int, response: pb.BatchStoreResponse) -> pb.BatchStoreResponse:
        if call == 1:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE)
        if call == 2:
            for result in response.results[3:5]:
                result.error.code = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        return response

    intercepted_stub: Any = FaultyClient(stub, busy)
    tally = await import_file(intercepted_stub, path)
    assert intercepted_stub.batches == [10, 10, 2], "stored memories are not sent again"
    assert (tally.imported + tally.already, tally.refused) == (10, 0)


async def test_an_import_that_fails_on_a_busy_server_can_be_resumed(
    stub: Stub, new_index: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_DELAYS", (0.0, 0.0, 0.0))
    path = file_of(tmp_path / "file", new_index(), *(memory_line(memory(number)) for number in range(150)))

    def busy(_: int, response: pb.BatchStoreResponse) -> pb.BatchStoreResponse:
        if len(response.results) < 100:
            response.results[0].error.code = grpc.StatusCode.UNAVAILABLE.value[0]
        return response

    intercepted_stub: Any = FaultyClient(stub, busy)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await import_file(intercepted_stub, path)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "line 102" in str(caught.value.details())
    assert (await import_file(stub, path, resume=True)).already == 50


async def test_lines_that_cannot_be_imported_are_reported_and_the_others_imported(
    server: RpcServer, stub: Stub, new_index: Callable[[], str], tmp_path: Path
) -> None:
    path, index = tmp_path / "file", new_index()
    await import_file(stub, file_of(path, index, memory_line(memory(1))))
    file_of(
        path,
        index,
        memory_line(memory(1)),
        memory_line(memory(2, role=0)),
        b"{cut off\n",
        memory_line(memory(4, expire_time=Timestamp(seconds=1))),
        memory_line(memory(1, content="another of the same id")),
        memory_line(memory(6)),
    )
    done = await run(server, "import", str(path), status=1)
    assert done.stdout == "imported 1, already there 1, expired 1, refused 3\n"
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["line 3", "line 4", "line 6"]
    assert "has no role: set it to ROLE_USER, ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_TOOL" in lines[0]
    assert "MEMORY_EXISTS" in lines[2]
    assert [one.id for one in await everything(stub, index)] == ["m1", "m6"]


async def test_at_most_twenty_refused_lines_are_reported(
    server: RpcServer, new_index: Callable[[], str], tmp_path: Path
) -> None:
    path = file_of(tmp_path / "file", new_index(), *[b"\n"] * 250)
    done = await run(server, "import", str(path), status=1)
    assert len(done.stderr.splitlines()) == 21
    assert "230 more" in done.stderr
    assert "refused 250" in done.stdout


async def test_memories_of_the_maximum_size_are_imported_and_exported(
    stub: Stub, new_index: Callable[[], str], tmp_path: Path
) -> None:
    metadata = {f"{key}": "\0" * 4096 for key in range(32)}
    large = [memory(number, content="🙂" * 50_000, metadata=metadata) for number in range(30)]
    path = file_of(tmp_path / "file", index := new_index(), *map(memory_line, large))
    assert (await import_file(stub, path)).imported == 30
    copy = tmp_path / "copy"
    assert await export(stub, copy, EVERYONE, index=index) == 30
    assert [json.loads(line)["id"] for line in copy.read_text().split("\n")[1:-1]] == [one.id for one in large]
