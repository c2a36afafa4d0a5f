"""Exports of changes: edits during a move to another index are neither lost nor undone, for any timestamps."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.archive import read_line
from memory_service.cli.exporting import export
from memory_service.cli.file_digests import FileDigests
from memory_service.cli.importing import import_file
from memory_service.rpc.server import RpcServer
from tests.cli.test_transfer import DIMENSION, EVERYONE, drop, everything, index_with_client_embeddings, run
from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.scale import examples
from tests.support.server_process import run_cli


async def put(stub: Stub, index: str, id_: str, content: str, second: int, user: str = "user") -> None:
    request = pb.StoreRequest(
        index=index,
        user_id=user,
        role=memory_pb2.ROLE_USER,
        id=id_,
        content=content,
        timestamp=Timestamp(seconds=second),
        metadata={"b": "1", "a": "2"},
        embedding=packed_embedding(1.0, second, dimension=DIMENSION),
    )
    await stub.Store(request, timeout=TIMEOUT)


async def remove(stub: Stub, index: str, id_: str, user: str = "user") -> None:
    await stub.Delete(pb.DeleteRequest(index=index, user_id=user, ids=[id_]), timeout=TIMEOUT)


def contents(path: Path) -> list[tuple[str, str]]:
    """Return the ids and texts of the memories of a file."""
    return [(one["id"], one["content"]) for one in map(json.loads, path.read_text().split("\n")[1:-1])]


@pytest.fixture
async def old(stub: Stub, new_index: Callable[[], str]) -> AsyncIterator[str]:
    """An index with four memories."""
    name = await index_with_client_embeddings(stub, new_index())
    for number in range(1, 5):
        await put(stub, name, f"m{number}", f"text {number}", 1000 + number)
    yield name
    await drop(stub, name)


async def test_a_resumed_export_equals_the_index_for_any_timestamps(
    stub: Stub, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    await export(stub, path, EVERYONE, index=old)
    await put(stub, old, "earlier", "of last week, stored today", 1)
    await put(stub, old, "between", "stored today too", 1002)
    await remove(stub, old, "m2")
    await remove(stub, old, "m3")
    await put(stub, old, "m3", "another text", 1003)
    assert await export(stub, path, EVERYONE, index=old, resume=True) == 5
    assert contents(path) == [
        ("m1", "text 1"),
        ("m4", "text 4"),
        ("earlier", "of last week, stored today"),
        ("between", "stored today too"),
        ("m3", "another text"),
    ]
    assert "removed, as deleted or changed since: 2 memories" in capsys.readouterr().err
    complete = path.read_bytes()
    assert await export(stub, path, EVERYONE, index=old, resume=True) == 5
    assert path.read_bytes() == complete, "a second run changes nothing"


async def test_a_move_to_another_model_loses_nothing_and_restores_nothing_deleted(
    stub: Stub, server: RpcServer, old: str, new_index: Callable[[], str], tmp_path: Path
) -> None:
    first, changes, new = tmp_path / "move.jsonl", tmp_path / "changes.jsonl", new_index()
    await run(server, "export", str(first), "--all-users", "--index", old)
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=new), timeout=TIMEOUT)
    await run(server, "import", str(first), "--re-embed", "--index", new)
    # Clients still work with the old index …
    await put(stub, old, "earlier", "of last week, stored today", 1)
    await put(stub, old, "newer", "of today", 2000)
    await remove(stub, old, "m1")
    await remove(stub, old, "m2")
    await put(stub, old, "m2", "another text", 1002)
    # … and then with the new one.
    await remove(stub, new, "m3")
    written = await run(server, "export", str(changes), "--all-users", "--index", old, "--changes-since", str(first))
    assert written.stdout == "exported 3 memories\n"
    assert written.stderr == "deleted or changed since: 2 memories\n"
    done = await run(server, "import", str(changes), "--re-embed", "--index", new)
    assert done.stdout == "imported 3, already there 0, expired 0, refused 0, deleted 2\n"
    assert {one.id: one.content for one in await everything(stub, new)} == {
        "m2": "another text",
        "m4": "text 4",
        "earlier": "of last week, stored today",
        "newer": "of today",
    }
    again = await run(server, "import", str(changes), "--re-embed", "--index", new)
    assert again.stdout == "imported 0, already there 3, expired 0, refused 0, deleted 0\n"


async def test_a_memory_that_was_stored_again_is_not_deleted(
    stub: Stub, old: str, new_index: Callable[[], str], tmp_path: Path
) -> None:
    first, changes, new = (
        tmp_path / "first",
        tmp_path / "changes",
        await index_with_client_embeddings(stub, new_index()),
    )
    await export(stub, first, EVERYONE, index=old)
    await remove(stub, old, "m1")
    await put(stub, new, "m1", "stored in the new index since", 5000)
    await export(stub, changes, EVERYONE, index=old, changes_since=first)
    tally = await import_file(stub, changes, index=new)
    assert tally.deleted == 0
    assert [one.content for one in await everything(stub, new)] == ["stored in the new index since"]


async def test_changes_need_an_earlier_export_of_the_same_memories(
    stub: Stub, server: RpcServer, old: str, tmp_path: Path
) -> None:
    first, changes = tmp_path / "first", tmp_path / "changes"
    await export(stub, first, EVERYONE, index=old)
    await export(stub, changes, EVERYONE, index=old, changes_since=first)
    for earlier in (changes, tmp_path / "nowhere"):
        with pytest.raises((typer.Exit, FileNotFoundError)):
            await export(stub, tmp_path / "more", EVERYONE, index=old, changes_since=earlier)
    refused = await run(
        server, "export", str(first), "--all-users", "--index", old, "--changes-since", str(first), status=2
    )
    assert "another name" in refused.stderr
    given = changes.read_text()
    piped = await asyncio.to_thread(run_cli, server.address, "import", "/dev/stdin", status=1, given=given)
    assert "regular file" in piped.stderr


@examples(15)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=12),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=12),
)
async def test_changes_and_resume_both_reproduce_the_index_after_any_edits(
    stub: Stub,
    new_index: Callable[[], str],
    tmp_path: Path,
    before: list[tuple[int, int]],
    after: list[tuple[int, int]],
) -> None:
    index, copy = (
        await index_with_client_embeddings(stub, new_index()),
        await index_with_client_embeddings(stub, new_index()),
    )
    path, changes = tmp_path / index, tmp_path / f"{index}.changes"

    async def change(steps: list[tuple[int, int]]) -> None:
        for id_, content in steps:
            await remove(stub, index, str(id_))
            if content:
                await put(stub, index, str(id_), f"text {content}", id_ * content)

    await change(before)
    await export(stub, path, EVERYONE, index=index)
    await import_file(stub, path, index=copy)
    await change(after)
    await export(stub, changes, EVERYONE, index=index, changes_since=path)
    assert (await import_file(stub, changes, index=copy)).refused == 0
    now = await everything(stub, index)
    assert await everything(stub, copy) == now
    assert await export(stub, path, EVERYONE, index=index, resume=True) == len(now)
    assert sorted(contents(path)) == sorted((one.id, one.content) for one in now)
    await drop(stub, index)
    await drop(stub, copy)


def test_digests_depend_on_the_user_and_not_on_the_order_of_metadata() -> None:
    memory = memory_pb2.Memory(id="b", user_id="a", metadata={"x": "1", "y": "2"})
    parsed = read_line(b'{"id": "b", "user_id": "a", "metadata": {"y": "2", "x": "1"}}\n').entry
    assert isinstance(parsed, memory_pb2.Memory)
    digests = FileDigests()
    digests.add(parsed)
    assert digests.mark_in_index(memory)
    assert not digests.any_stale()
    assert not digests.mark_in_index(memory_pb2.Memory(id="", user_id="ab"))
    digests.close()
