"""Commands at a terminal and in pipes: confirmation, progress, and transfer of memories."""

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.cli.in_process import run_command_for
from tests.support.api import TIMEOUT, Stub, list_all, store_request
from tests.support.credentials import api_key, server_with_auth
from tests.support.server_process import COMMAND, environment, run_cli

Run = Callable[..., Any]


@pytest.fixture
def run(server: RpcServer) -> Run:
    """Runs a command without a terminal."""
    return partial(run_command_for, server.address)


def at_terminal(server: RpcServer) -> Run:
    """Return a function that runs a command at a terminal, types an answer, and returns the outputs on the terminal and
    on standard output."""

    def finished(*arguments: str, answer: str = "", status: int = 0, **variables: str) -> tuple[str, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(MEMORY_ADDRESS=server.address, TERM="xterm", COLUMNS="100", **variables),
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass  # Linux reports a closed other end as an error.
        finally:
            os.close(ours)
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == status, shown
        return shown.decode(), printed

    return lambda *arguments, **options: asyncio.to_thread(finished, *arguments, **options)


@pytest.fixture
def run_at_terminal(server: RpcServer) -> Run:
    """Runs a command at a terminal against the server of the tests."""
    return at_terminal(server)


async def test_delete_matching_asks_for_confirmation(stub: Stub, user: str, run: Run, run_at_terminal: Run) -> None:
    for session in ("one", "two", "two"):
        await stub.Store(store_request(user, "text", session), timeout=TIMEOUT)
    command = ["delete-matching", "-u", user, "-s", "two"]
    assert (await run(*command, "--dry-run")).stdout == "would delete 2 memories\n"
    assert "--yes" in (await run(*command, status=1)).stderr, "there is no terminal"
    shown, _ = await run_at_terminal(*command, answer="n", status=1)
    assert "Delete 2 memories?" in shown
    assert len(await list_all(stub, memory_pb2.MemoryFilter(user_id=user))) == 3
    _, printed = await run_at_terminal(*command, answer="y")
    assert printed == "deleted 2 memories\n"
    assert json.loads((await run("delete-matching", "-u", user, "--yes", "--json")).stdout) == {"count": "1"}
    assert (await run("delete-matching", "-u", user)).stdout == "deleted 0 memories\n", (
        "without matches there is no question"
    )


async def test_drop_index_asks_for_confirmation(
    stub: Stub, new_index: Callable[[], str], user: str, run: Run, run_at_terminal: Run
) -> None:
    name = new_index()
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    await run("store", "text", "-u", user, "--index", name)
    assert "--yes" in (await run("drop-index", name, status=1)).stderr
    shown, _ = await run_at_terminal("drop-index", name, answer="n", status=1)
    assert "This keeps its 1 memory. [y/N]" in shown
    _, printed = await run_at_terminal("drop-index", name, answer="y")
    assert printed == f"dropped {name} and kept its memories\n"
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=name), timeout=TIMEOUT)
    dropped = await run("drop-index", name, "--delete-memories", "--yes")
    assert dropped.stdout == f"dropped {name} and deleted 1 memory\n"
    assert name not in (await run("indexes")).stdout


async def test_memories_are_exported_and_imported_through_pipes(
    server: RpcServer, run: Run, user: str, new_index: Callable[[], str]
) -> None:
    await run("store", "moved é 漢 🙂", "-u", user, "--id", "m", "--label", "kept")
    exported = await run("export", "-", "-u", user)
    assert exported.stderr == "exported 1 memory\n"
    index = new_index()
    imported = await asyncio.to_thread(run_cli, server.address, "import", "-", "--index", index, given=exported.stdout)
    assert imported.stdout == "imported 1, already there 0, expired 0, refused 0\n"
    assert "moved é 漢 🙂" in (await run("list", "-u", user, "--any-label", "kept", "--index", index)).stdout
    assert "needs a file" in (await run("import", "-", "--resume", status=2)).stderr


async def test_a_named_pipe_is_imported(run: Run, user: str, new_index: Callable[[], str], tmp_path: Path) -> None:
    await run("store", "text", "-u", user)
    exported = (await run("export", "-", "-u", user)).stdout
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = asyncio.create_task(asyncio.to_thread(pipe.write_text, exported))
    imported = await run("import", str(pipe), "--index", new_index())
    await writing
    assert imported.stdout.startswith("imported 1,")
    assert not (tmp_path / "pipe.progress").exists()


async def test_export_and_import_show_progress_at_a_terminal(
    run: Run, run_at_terminal: Run, user: str, new_index: Callable[[], str], tmp_path: Path
) -> None:
    await run("store", "text", "-u", user)
    path = str(tmp_path / "file")
    shown, printed = await run_at_terminal("export", path, "-u", user)
    assert "1/1" in shown
    assert printed == "exported 1 memory\n"
    shown, _ = await run_at_terminal("import", path, "--index", new_index())
    assert "kB" in shown


async def test_the_right_to_read_is_enough_for_an_export_at_a_terminal(
    settings: Settings, stub: Stub, user: str, tmp_path: Path
) -> None:
    await stub.Store(store_request(user, "text"), timeout=TIMEOUT)
    key, entry = api_key("reader", None, "read")
    (tmp_path / "keys").write_text(entry)
    async with server_with_auth(settings, api_keys=tmp_path / "keys") as server:
        path = tmp_path / "file"
        shown, printed = await at_terminal(server)("export", str(path), "-u", user, MEMORY_TOKEN=key)
    assert printed == "exported 1 memory\n"
    assert "PERMISSION_DENIED" not in shown
    assert len(path.read_text().splitlines()) == 2


async def test_stored_control_characters_are_escaped_at_a_terminal(stub: Stub, user: str, run_at_terminal: Run) -> None:
    request = store_request(user, "safe\x1b[2J\x1b]0;pwned\x07", "s\x1b[5m")
    request.id = "id\x1b[8m"
    await stub.Store(request, timeout=TIMEOUT)
    shown, printed = await run_at_terminal("export", f"/nowhere\x1b[8m/{user}", "-u", user, status=1)
    assert "\x1b[8m" not in shown
    assert "/nowhere\\x1b[8m/" in shown
    _, printed = await run_at_terminal("get", "id\x1b[8m", "-u", user)
    assert "\x1b" not in printed
    assert "id\\x1b[8m" in printed
