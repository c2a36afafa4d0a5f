"""Transfer of memories from one index to another through a file."""

import json
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.exporting import export
from memory_service.cli.importing import import_file
from memory_service.rpc.server import RpcServer
from memory_service.valkey import Connections
from tests.cli.in_process import Completed, run_command_for
from tests.support.api import TIMEOUT, Stub, list_all, packed_embedding
from tests.support.scale import examples

pytestmark = pytest.mark.both_layouts

EVERYONE = memory_pb2.MemoryFilter(all_users=True)
DIMENSION = 4


async def index_with_client_embeddings(stub: Stub, name: str) -> str:
    """Create an index for embeddings of clients."""
    request = pb.EnsureIndexRequest(index=name, dimension=DIMENSION, embedding_model="ours")
    await stub.EnsureIndex(request, timeout=TIMEOUT)
    return name


@pytest.fixture
async def source(stub: Stub, new_index: Callable[[], str]) -> AsyncIterator[str]:
    """An index with seven memories of two users, some with equal timestamps."""
    name = await index_with_client_embeddings(stub, new_index())
    for number, second in enumerate([1, 2, 2, 2, 2, 3, 3]):
        await stub.Store(
            pb.StoreRequest(
                index=name,
                user_id=f"user {number % 2}",
                role=memory_pb2.ROLE_USER,
                content=f"message {number} é 漢 \u2028 🙂",
                timestamp=Timestamp(seconds=second),
                embedding=packed_embedding(1.0, number, dimension=DIMENSION),
            ),
            timeout=TIMEOUT,
        )
    yield name
    await drop(stub, name)


async def drop(stub: Stub, name: str) -> None:
    await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)


async def everything(stub: Stub, index: str) -> list[memory_pb2.Memory]:
    """Return all memories of an index, sorted by user and id."""
    found = await list_all(stub, EVERYONE, index=index, include_embeddings=True)
    return sorted(found, key=lambda one: (one.user_id, one.id))


async def run(server: RpcServer, *arguments: str, status: int = 0) -> Completed:
    """Run a command against the server."""
    return await run_command_for(server.address, *arguments, status=status)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
times = st.builds(
    lambda microseconds: Timestamp(seconds=microseconds // 10**6, nanos=microseconds % 10**6 * 1000),
    st.integers(-(10**15), 5 * 10**15) | st.sampled_from([0, -1, 1_700_000_000_123_456]),
)
later = st.builds(lambda seconds: Timestamp(seconds=seconds, nanos=123_000), st.integers(3 * 10**9, 4 * 10**9))
embeddings = (
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=DIMENSION, max_size=DIMENSION)
    .filter(any)
    .map(lambda numbers: packed_embedding(*numbers, dimension=DIMENSION))
)
stores = st.builds(
    pb.StoreRequest,
    user_id=texts,
    session_id=st.just("") | texts,
    role=st.sampled_from([1, 2, 3, 4]),
    content=texts,
    timestamp=times,
    expire_time=st.none() | later,
    labels=st.lists(texts.filter(lambda text: len(text.encode()) <= 64), max_size=3, unique=True),
    metadata=st.dictionaries(texts.filter(lambda text: len(text.encode()) <= 64), st.just("") | texts, max_size=3),
    id=st.just("") | texts,
    embedding=embeddings,
)


@examples(20)
@given(st.lists(stores, min_size=1, max_size=6, unique_by=lambda one: (one.user_id, one.id or one.content)))
async def test_import_restores_what_export_wrote(
    stub: Stub, new_index: Callable[[], str], requests: list[pb.StoreRequest]
) -> None:
    first, second = await index_with_client_embeddings(stub, new_index()), new_index()
    stored = await stub.BatchStore(pb.BatchStoreRequest(index=first, memories=requests), timeout=TIMEOUT)
    assert all(one.HasField("stored") for one in stored.results)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        assert await export(stub, path, EVERYONE, index=first) == len(requests)
        tally = await import_file(stub, path, index=second)
        assert (tally.imported, tally.already, tally.expired, tally.refused) == (len(requests), 0, 0, 0)
        copied = await everything(stub, second)
        assert copied == await everything(stub, first)
        assert len(copied) == len(requests)
        for index in (first, second):
            tally = await import_file(stub, path, index=index)
            assert (tally.imported, tally.already, tally.expired, tally.refused) == (0, len(requests), 0, 0)
            assert await everything(stub, index) == copied, "a second import adds nothing, even to the exported index"
    await drop(stub, first)
    await drop(stub, second)


@examples(30)
@given(st.integers(1, 8), st.integers(0, 2) | st.integers(0, 400))
async def test_an_export_that_was_cut_anywhere_is_completed_by_resume(
    stub: Stub, source: str, tmp_path: Path, line: int, short: int
) -> None:
    complete, cut = tmp_path / "complete", tmp_path / "cut"
    await export(stub, complete, EVERYONE, index=source, force=True)
    written = complete.read_bytes()
    end = len(b"".join(written.splitlines(keepends=True)[:line]))
    cut.write_bytes(written[: max(end - short, 0)])
    assert await export(stub, cut, EVERYONE, index=source, resume=True) == 7
    assert cut.read_bytes() == written


async def test_a_partial_line_of_a_deleted_memory_is_removed(stub: Stub, source: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    await export(stub, path, EVERYONE, index=source)
    *lines, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + last[:50])
    deleted = json.loads(last)
    await stub.Delete(pb.DeleteRequest(index=source, user_id=deleted["user_id"], ids=[deleted["id"]]), timeout=TIMEOUT)
    assert await export(stub, path, EVERYONE, index=source, resume=True) == 6
    assert path.read_bytes() == b"".join(lines)


async def test_a_resumed_export_adds_new_memories(stub: Stub, source: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    await export(stub, path, EVERYONE, index=source)
    new = pb.StoreRequest(
        user_id="new",
        role=memory_pb2.ROLE_USER,
        content="c",
        embedding=packed_embedding(1.0, dimension=DIMENSION),
        index=source,
    )
    for second in (3, 4):
        new.timestamp.seconds = second
        await stub.Store(new, timeout=TIMEOUT)
    assert await export(stub, path, EVERYONE, index=source, resume=True) == 9
    ids = [json.loads(line)["id"] for line in path.read_text().split("\n")[1:-1]]
    assert sorted(ids) == sorted(one.id for one in await everything(stub, source))


async def test_an_export_has_the_memories_that_match_the_filter(stub: Stub, source: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    where = memory_pb2.MemoryFilter(user_id="user 1", end_time=Timestamp(seconds=3))
    assert await export(stub, path, where, index=source) == 2
    header, *lines = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    assert header == {
        "semantic_memory": 1,
        "index": source,
        "embedding_model": "ours",
        "dimension": DIMENSION,
        "filter": {"user_id": "user 1", "end_time": "1970-01-01T00:00:03Z"},
    }
    assert {line["user_id"] for line in lines} == {"user 1"}
    assert lines[0]["content"] == "message 1 é 漢 \u2028 🙂"


async def test_an_export_does_not_overwrite_another(stub: Stub, server: RpcServer, source: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    await export(stub, path, EVERYONE, index=source)
    written = path.read_bytes()
    arguments = ["export", str(path), "--index", source]
    assert "--resume" in (await run(server, *arguments, "--all-users", status=1)).stderr
    assert "is another export" in (await run(server, *arguments, "-u", "me", "--resume", status=1)).stderr
    assert path.read_bytes() == written
    assert "exported 0 memories" in (await run(server, *arguments, "-u", "me", "--force")).stdout


async def test_a_file_that_is_no_export_stays_unchanged(
    stub: Stub, server: RpcServer, source: str, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    for content in (
        "my notes",
        '{"semantic_memory": 2, "index": "i", "embedding_model": "m", "dimension": 1}\n',
        "[1]\n",
    ):
        path.write_text(content)
        with pytest.raises(typer.Exit):
            await export(stub, path, EVERYONE, index=source, resume=True)
        assert path.read_text() == content
        assert str(path) in (await run(server, "import", str(path), status=1)).stderr


async def test_embeddings_of_another_model_are_refused_or_recomputed(
    server: RpcServer, stub: Stub, source: str, new_index: Callable[[], str], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    await export(stub, path, EVERYONE, index=source)
    other = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=other), timeout=TIMEOUT)
    refused = await run(server, "import", str(path), "--index", other, status=1)
    assert "FAILED_PRECONDITION" in refused.stderr
    assert "--re-embed" in refused.stderr
    done = await run(server, "import", str(path), "--index", other, "--re-embed")
    assert done.stdout == "imported 7, already there 0, expired 0, refused 0\n"
    old, new = await everything(stub, source), await everything(stub, other)
    assert {len(one.embedding) for one in new} == {384 * 4}
    for one in (*old, *new):
        one.ClearField("embedding")
    assert old == new
    again = await run(server, "import", str(path), "--index", other, "--re-embed")
    assert again.stdout == "imported 0, already there 7, expired 0, refused 0\n"


async def test_an_index_without_a_recorded_model_is_not_exported(
    server: RpcServer, engine: Connections, new_index: Callable[[], str], tmp_path: Path
) -> None:
    name = new_index()
    await engine.run(
        f"FT.CREATE {name} ON JSON PREFIX 1 mem_{name}: SCHEMA $.session_id AS session_id TAG $.role AS role TAG "
        "$.user_id AS user_id TAG $.timestamp AS timestamp NUMERIC "
        "$.embedding AS embedding VECTOR HNSW 6 DIM 4 DISTANCE_METRIC COSINE TYPE FLOAT32".split()
    )
    refused = await run(server, "export", str(tmp_path / "file"), "--all-users", "--index", name, status=1)
    assert "ensure-index" in refused.stderr
    assert not (tmp_path / "file").exists()
