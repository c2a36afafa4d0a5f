"""Output of stored texts without control characters, and errors without a traceback."""

import asyncio
import json
import subprocess
import unicodedata
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb
from typer.testing import CliRunner

from memory_service.cli import output
from memory_service.cli.app import app
from memory_service.rpc.server import RpcServer
from tests.cli.test_transfer import run
from tests.support.api import TIMEOUT, Stub, packed_embedding
from tests.support.server_process import COMMAND, environment

ESCAPES = "\x1b[2J\x1b]0;pwned\x07 \r\x08\x7f\x9b31m\u202e\u2066\u200f\u2028"
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(ESCAPES), max_size=30)
hostile_memories = st.builds(
    memory_pb2.Memory,
    id=texts,
    user_id=texts,
    session_id=texts,
    content=texts,
    labels=st.lists(texts, max_size=2),
    metadata=st.dictionaries(texts, texts, max_size=2),
    timestamp=st.just(Timestamp(seconds=1)),
)


def control_characters(printed: str) -> set[str]:
    """Return the control characters in an output, except line ends."""
    return {
        one
        for one in printed
        if (unicodedata.category(one) in {"Cc", "Zl", "Zp"} and one not in "\n\t")
        or unicodedata.bidirectional(one) in BIDI
    }


@given(hostile_memories)
def test_stored_control_characters_are_escaped(memory: memory_pb2.Memory) -> None:
    with output.console.capture() as printed, output.errors.capture() as errors:
        output.print_memory(memory)
        output.print_memory_row(memory, with_user=True)
        output.print_hit(pb.Hit(memory=memory, context=[memory, memory]))
        output.print_summary(pb.SearchSummary(index=memory.id, query_terms=[memory.content]))
        output.print_error(memory.id, memory.content)
    assert control_characters(printed.get() + errors.get()) == set()


def test_a_text_of_several_lines_cannot_pass_for_another_memory() -> None:
    memory = memory_pb2.Memory(id="m1", content="one\ntwo\tthree", session_id="s\nm2")
    with output.console.capture() as printed:
        output.print_memory_row(memory, with_user=False)
    first, second = printed.get().splitlines()
    assert first.endswith("one")
    assert "s\\x0am2" in first
    assert second.split() == ["two", "three"]
    assert second.startswith("        ")


async def store(stub: Stub, user: str, content: str, **more: Any) -> None:
    request = pb.StoreRequest(user_id=user, role=memory_pb2.ROLE_USER, content=content, **more)
    await stub.Store(request, timeout=TIMEOUT)


async def test_every_command_escapes_control_characters_and_json_is_exact(
    stub: Stub, server: RpcServer, user: str
) -> None:
    id_ = f"id{ESCAPES}"
    labels, metadata = [f"l{ESCAPES}"], {f"k{ESCAPES}": f"v{ESCAPES}"}
    await store(stub, user, f"safe{ESCAPES}", id=id_, session_id=f"s{ESCAPES}", labels=labels, metadata=metadata)
    for command in (["list"], ["search", "safe"], ["get", id_], ["delete", f"none{ESCAPES}"]):
        printed = (await run(server, *command, "-u", user)).stdout
        assert control_characters(printed) == set(), command
        assert "\\x1b]0;pwned\\x07" in printed
    printed = json.loads((await run(server, "get", id_, "-u", user, "--json")).stdout)
    assert (printed["id"], printed["content"], printed["labels"], printed["metadata"]) == (
        id_,
        f"safe{ESCAPES}",
        labels,
        metadata,
    )
    refused = await run(server, "get", f"none{ESCAPES}", "--user", user, "--index", f"i{ESCAPES}", status=1)
    assert control_characters(refused.stderr) == set()


async def test_a_terminal_without_unicode_gets_escapes(stub: Stub, server: RpcServer, user: str) -> None:
    await store(stub, user, "rocket 🚀 é")
    for arguments in (["list", "-u", user], ["search", "rocket", "-u", user], ["indexes"], ["--help"]):
        done = await asyncio.to_thread(
            subprocess.run,
            [*COMMAND, *arguments],
            env=environment(MEMORY_ADDRESS=server.address, PYTHONIOENCODING="ascii"),
            capture_output=True,
            check=True,
            timeout=60,
        )
        printed = done.stdout.decode("ascii")
        assert "rocket" not in printed or "\\U0001f680 \\xe9" in printed


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        ("list -u USER --json | head -c 5 > /dev/null", 1, ""),
        ("export - -u USER | head -c 1 > /dev/null", 1, ""),
        ("list -u USER > /dev/full", 1, "standard output: No space left on device\n"),
        ("list -u USER --json > /dev/full", 1, "standard output: No space left on device\n"),
        ("config > /dev/full", 1, "standard output: No space left on device\n"),
        ("export - -u USER > /dev/full", 1, "-: No space left on device\n"),
        ("export /dev/full -u USER --force", 1, "/dev/full: No space left on device\n"),
        ("list -u USER >&-", 0, ""),
        ("store - -u USER < <(printf '\\xff')", 1, "standard input: is not UTF-8: byte 1\n"),
        ("search $'\\xff' -u USER", 2, "error: the argument '\\udcff' is not UTF-8\n"),
        ("--ca /nowhere/ca list -u USER", 1, "/nowhere/ca: No such file or directory\n"),
    ],
)
async def test_errors_of_files_pipes_and_hosts_are_reported_without_a_traceback(
    stub: Stub, server: RpcServer, user: str, command: str, status: int, text: str
) -> None:
    for number in range(3 if "USER" in command else 0):  # more than the buffer of a pipe
        await store(stub, user, "text " * 10_000, id=f"m{number}", embedding=packed_embedding(1.0, number))
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-o", "pipefail", "-c", f"{' '.join(COMMAND)} {command.replace('USER', user)}"],
        env=environment(MEMORY_ADDRESS=server.address),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert text in done.stderr
    assert bool(text) == bool(done.stderr)
    delete = pb.DeleteRequest(user_id=user, ids=["m0", "m1", "m2"])
    await stub.Delete(delete, timeout=TIMEOUT)  # other tests share the index


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("export /nowhere/file -u USER", "/nowhere/file: No such file or directory\n"),
        ("import /nowhere/file", "/nowhere/file: No such file or directory\n"),
        ("import /", "/: Is a directory\n"),
        ("health --address no-such-host.invalid:1", "UNAVAILABLE"),
    ],
)
async def test_a_file_or_host_that_does_not_exist_is_named(
    server: RpcServer, user: str, arguments: str, text: str
) -> None:
    done = await run(server, *arguments.replace("USER", user).split(), status=1)
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "search x -u me -k 99999999999",
        "search x -u me --before 99999999999",
        "search x -u me --ef-runtime -1",
        "search x -u me --min-score high",
        "search x -u me --recency 5",
        "ensure-index x --dimension 99999999999",
        "list -u me --since yesterday",
        "list -u me --since 2026-13-01",
        "list -u me --until 0001-01-01T00:00:00+05:00",
        "list -u me --until 9999-12-31T23:59:59-05:00",
        "list -u me --limit 0",
        "store x -u me --ttl 1w",
        "store x -u me --metadata k",
        "store x -u me --timeout 0",
        "store x -u me --timeout nan",
        "store x -u me --timeout inf",
        "store x -u me --timeout soon",
        "health --address localhost",
        "health --address h:99999",
        "health --address http://h:1",
        "--token bad\u00e9 list -u me",
        "--token bad\x01 list -u me",
    ],
)
def test_a_value_that_no_request_can_have_is_refused_before_any_call(arguments: str) -> None:
    done = CliRunner().invoke(app, arguments.split(" "))
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    assert "Invalid value" in done.stderr


async def test_delete_matching_for_all_users_needs_another_filter(server: RpcServer) -> None:
    refused = await run(server, "delete-matching", "--all-users", "--exclude-session", "s", "--yes", status=1)
    assert refused.stderr.startswith("INVALID_ARGUMENT: --all-users also needs --session, roles, labels or times")
    assert "with --exclude-session alone" in refused.stderr
