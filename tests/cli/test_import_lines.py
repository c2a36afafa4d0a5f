"""An import reports each invalid line of a file with its number and imports the others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st

from memory_service.cli import archive
from memory_service.cli.archive import Header, memory_line, read_header, read_line
from memory_service.cli.importing import import_file
from memory_service.rpc.server import RpcServer
from tests.cli.test_import import file_of, memory
from tests.cli.test_transfer import DIMENSION, everything, run
from tests.support.api import Stub
from tests.support.scale import examples

GOOD = memory_line(memory(1))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "is empty"),
        (b"  \r\n", "is empty"),
        (b"[]\n", "is not a JSON object"),
        (b"null\n", "is not a JSON object"),
        (b'"text"\n', "is not a JSON object"),
        (b"1\n", "is not a JSON object"),
        (b"{cut off\n", "is not JSON"),
        (b"\xff\xfe\n", "is not UTF-8: byte 1"),
        ('{"content": "é"}\n'.encode("latin-1"), "is not UTF-8: byte 14"),
        (b"[" * 100_000 + b"\n", "is nested too deeply"),
        (b'{"a":' * 100_000 + b"\n", "is nested too deeply"),
        (b'{"id": ' + b"1" * 5000 + b"}\n", "is not JSON"),
        (b'{"id": 5}\n', "is not a memory"),
        (b'{"role": 99999999999}\n', "is not a memory"),
        (b'{"role": 1e999}\n', "is not a memory"),
        (b'{"timestamp": "2026-13-01T00:00:00Z"}\n', "is not a memory"),
        (b'{"timestamp": 5}\n', "is not a memory"),
        (b'{"labels": "x"}\n', "is not a memory"),
        (b'{"metadata": [1]}\n', "is not a memory"),
        (b'{"content": "\\ud800"}\n', "is not a memory"),
        (b'{"deleted": {"id": 5}}\n', "is not a memory"),
        (GOOD[:-10], "is cut off"),
    ],
)
async def test_a_line_that_cannot_be_parsed_is_reported_with_its_number(
    stub: Stub,
    new_index: Callable[[], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: bytes,
    reason: str,
) -> None:
    lines = (GOOD, line, memory_line(memory(3))) if line.endswith(b"\n") else (memory_line(memory(3)), GOOD, line)
    path = file_of(tmp_path / "file", index := new_index(), *lines)
    tally = await import_file(stub, path)
    assert (tally.imported, tally.refused) == (2, 1)
    number = lines.index(line) + 2
    stderr = capsys.readouterr().err
    assert stderr.startswith(f"line {number}: {reason}"), stderr
    assert stderr.count("\n") == 1
    assert [one.id for one in await everything(stub, index)] == ["m1", "m3"]


async def test_a_line_longer_than_any_memory_is_skipped(
    stub: Stub,
    new_index: Callable[[], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "_LONGEST_LINE", 2**20)
    long = b'{"content": "' + b"x" * 3 * 2**20 + b'"}\n'
    path = file_of(tmp_path / "file", new_index(), long, GOOD)
    tally = await import_file(stub, path)
    assert (tally.imported, tally.refused) == (1, 1)
    assert "line 2: is longer than 1 MiB" in capsys.readouterr().err


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_a_file_with_a_byte_order_mark_or_crlf_is_imported(
    stub: Stub, new_index: Callable[[], str], tmp_path: Path, begin: bytes, end: bytes
) -> None:
    path = file_of(tmp_path / "file", new_index(), GOOD)
    path.write_bytes(begin + path.read_bytes().replace(b"\n", end))
    tally = await import_file(stub, path)
    assert (tally.imported, tally.refused) == (1, 0)


async def test_fields_of_a_newer_version_are_ignored_and_reported(
    server: RpcServer, stub: Stub, new_index: Callable[[], str], tmp_path: Path
) -> None:
    newer = json.loads(GOOD) | {"importance": 3, "sources": [{"uri": "x"}]}
    index = new_index()
    lines = [json.dumps(newer | {"id": f"m{number}"}).encode() + b"\n" for number in range(3)]
    path = file_of(tmp_path / "file", index, *lines)
    done = await run(server, "import", str(path))
    assert done.stdout == "imported 3, already there 0, expired 0, refused 0\n"
    assert sorted(done.stderr.splitlines()) == [
        f"ignored: the field '{name}' of 3 lines, which this version does not know"
        for name in ("importance", "sources")
    ]
    assert len(await everything(stub, index)) == 3


HEADER = json.loads(Header("test_x", "ours", DIMENSION, {}).line())


@pytest.mark.parametrize(
    "change",
    [
        {"dimension": 1e400},
        {"dimension": 10**30},
        {"dimension": -1},
        {"dimension": True},
        {"dimension": "4"},
        {"embedding_model": "\ud800"},
        {"embedding_model": None},
        {"index": 5},
        {"index": ""},
        {"filter": [["user_id", "x"]]},
        {"semantic_memory": 2},
        {"changes": 1},
    ],
)
async def test_a_header_with_wrong_values_is_one_line_of_error(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(HEADER | change) + "\n")
    with pytest.raises(typer.Exit):
        await import_file(stub, path)
    assert capsys.readouterr().err.count("\n") == 1


async def test_a_file_in_utf_16_is_reported_as_such(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(json.dumps(HEADER).encode("utf-16"))
    with pytest.raises(typer.Exit):
        await import_file(stub, path)
    assert "convert it to UTF-8" in capsys.readouterr().err


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
fields = ["id", "user_id", "role", "content", "timestamp", "embedding", "labels", "metadata", "expire_time", "deleted"]
objects = st.dictionaries(st.sampled_from(fields) | st.text(max_size=8), json_values, max_size=6)
mangled = st.builds(
    lambda at, new: GOOD[:at] + new + GOOD[at + len(new) :], st.integers(0, len(GOOD)), st.binary(max_size=4)
)


@given(st.binary() | mangled | objects.map(lambda one: json.dumps(one).encode() + b"\n"))
@example(b'{"\\ud800": 1}\n')
def test_any_line_is_parsed_or_refused_with_a_reason(line: bytes) -> None:
    for read in (read_line, read_header):
        try:
            read(line)
        except ValueError as error:
            assert 0 < len(str(error)) < 300  # noqa: PT017 - it need not raise


@examples(30)
@given(st.lists(st.binary(max_size=60) | mangled, max_size=5), st.booleans())
async def test_any_bytes_are_imported_or_refused_without_a_traceback(
    stub: Stub, tmp_path: Path, parts: list[bytes], with_header: bool
) -> None:
    path = tmp_path / "file"
    header = Header("test_any_bytes", "ours", DIMENSION, {}).line()
    path.write_bytes((header if with_header else b"") + b"\n".join(parts))
    try:
        tally = await import_file(stub, path)
    except typer.Exit:
        assert not with_header
    else:
        assert with_header
        assert sum((tally.imported, tally.already, tally.expired, tally.refused)) >= path.read_bytes().count(b"\n") - 1


@examples(30)
@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from(["index", "offset", "line"]), json_values).map(
        lambda one: json.dumps(one).encode()
    )
)
async def test_any_progress_file_is_used_or_refused_without_a_traceback(
    stub: Stub, tmp_path: Path, progress_file: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(Header("test_any_bytes", "ours", DIMENSION, {}).line() + GOOD)
    (tmp_path / "file.progress").write_bytes(progress_file)
    with pytest.raises(typer.Exit):
        await import_file(stub, path, resume=True)
