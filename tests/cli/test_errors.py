"""Errors name the option or setting that is wrong and say what to do; each problem appears once."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from memory_service.cli.errors import describe_for_command
from memory_service.rpc.server import RpcServer
from tests.cli.in_process import run_command, run_command_for
from tests.support.api import Stub, store_request


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.fixture
async def silent_server() -> AsyncIterator[str]:
    """The address of a server that closes every connection, as one for another protocol does."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("arguments", [["search", "q"], ["list"], ["delete-matching", "--yes"], ["export", "-"]])
async def test_a_missing_user_is_reported_once_with_the_names_of_the_options(
    server: RpcServer, arguments: list[str]
) -> None:
    done = await run_command_for(server.address, *arguments, status=1)
    assert done.stderr.count("--all-users") == 1
    assert "--user" in done.stderr
    assert "user_id" not in done.stderr
    assert "all_users" not in done.stderr


@pytest.mark.parametrize("arguments", [["get", "x"], ["delete", "x"], ["get", "x", "-u", "a", "--all-users"]])
async def test_a_rule_for_the_request_is_one_line_without_a_field(server: RpcServer, arguments: list[str]) -> None:
    done = await run_command_for(server.address, *arguments, status=1)
    assert done.stderr == "INVALID_ARGUMENT: set exactly one of --user and --all-users\n"


async def test_several_wrong_values_have_a_line_each_and_no_summary_of_the_same_words(server: RpcServer) -> None:
    wrong = ["-k", "0", "--diversity", "4", "--session", "", "--text-weight", "0.5", "--mode", "hybrid"]
    done = await run_command_for(server.address, "search", "q", "-u", "a", *wrong, status=1)
    first, *lines = done.stderr.splitlines()
    assert first == "INVALID_ARGUMENT: 3 values are refused"
    assert sorted(line.split(":")[0] for line in lines) == ["  --diversity", "  --session (value 1)", "  -k"]


async def test_metadata_is_named_with_its_key(server: RpcServer) -> None:
    done = await run_command_for(server.address, "store", "c", "-u", "a", "--metadata", f"long={'x' * 5000}", status=1)
    assert done.stderr.startswith('INVALID_ARGUMENT: --metadata "long": ')


async def test_an_index_that_differs_is_described_once(server: RpcServer, new_index: Callable[[], str]) -> None:
    name = new_index()
    await run_command_for(server.address, "ensure-index", name, "--layout", "HASH")
    done = await run_command_for(server.address, "ensure-index", name, "--layout", "JSON", status=1)
    assert done.stderr.startswith("FAILED_PRECONDITION: ")
    assert done.stderr.count("HASH") == 1
    await run_command_for(server.address, "drop-index", name, "--yes")


def error(store_request: str, details: list[error_details_pb2.BadRequest]) -> grpc.aio.AioRpcError:
    status = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message=store_request)
    for one in details:
        status.details.add().Pack(one)
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(grpc.StatusCode.INVALID_ARGUMENT, grpc.aio.Metadata(), trailers, details=store_request)


violations = st.lists(
    st.builds(
        error_details_pb2.BadRequest.FieldViolation,
        field=st.sampled_from(["k", "filter", "filter.session_ids[3]", 'metadata["a"]', "", "filter.user_id"]),
        description=st.integers(0, 99).map("violation{}".format),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.description,
)


@given(violations)
def test_every_violation_of_a_request_appears_exactly_once(
    found: list[error_details_pb2.BadRequest.FieldViolation],
) -> None:
    texts = [f"{one.field}: {one.description}" if one.field else one.description for one in found]
    details = [error_details_pb2.BadRequest(field_violations=found)]
    lines = list(describe_for_command(error("; ".join(texts[:3]), details), "here:1"))
    shown = [word for line in lines for text in line for word in text.replace(":", " ").split()]
    assert [shown.count(one.description) for one in found] == [1] * len(found)


async def test_an_address_without_a_port_is_refused_with_the_port_of_this_service() -> None:
    refused = await run_command_for("127.0.0.1:1", "list", "-u", "a", "--address", "localhost", status=2)
    words = " ".join(refused.stderr.replace("│", " ").split())
    assert "'localhost' has no port" in words
    assert "for example localhost:50051" in words


async def test_a_server_on_this_machine_that_does_not_run_is_to_be_started(closed_port: int) -> None:
    address = f"127.0.0.1:{closed_port}"
    hint = (await run_command_for(address, "list", "-u", "a", status=1)).stderr.splitlines()[1]
    assert hint.startswith("hint: start a server with: memory-service serve")
    assert address in hint


async def test_an_unknown_host_is_an_error_of_the_address_not_of_the_server() -> None:
    printed = (await run_command_for("no-such-host.invalid:50051", "list", "-u", "a", status=1)).stderr
    assert "hint: there is no such host: check --address (MEMORY_ADDRESS)" in printed
    assert "memory-service serve" not in printed


async def test_another_kind_of_server_is_an_error_of_the_address(silent_server: str) -> None:
    printed = (await run_command_for(silent_server, "list", "-u", "a", status=1)).stderr
    assert "hint: the server may need TLS" in printed
    assert "memory-service serve" not in printed


async def test_tls_to_a_server_in_plaintext_says_to_leave_it_out(server: RpcServer) -> None:
    printed = (await run_command_for(server.address, "--tls", "list", "-u", "a", status=1)).stderr
    assert "hint: the server speaks plaintext: leave out --tls" in printed


async def test_a_timeout_says_how_to_wait_longer(stub: Stub, server: RpcServer, user: str) -> None:
    await stub.Store(store_request(user, "text"), timeout=30)
    printed = (await run_command_for(server.address, "list", "-u", user, "--timeout", "0.000001", status=1)).stderr
    assert "hint: allow more time with --timeout SECONDS" in printed


@pytest.mark.parametrize("json", [[], ["--json"]])
async def test_a_list_without_memories_says_so_and_prints_nothing_on_standard_output(
    server: RpcServer, user: str, json: list[str]
) -> None:
    done = await run_command_for(server.address, "list", "-u", user, *json)
    assert (done.stdout, done.stderr) == ("", "no memory matches the filter\n")


async def test_a_list_that_ends_at_its_limit_says_so(stub: Stub, server: RpcServer, user: str) -> None:
    for number in range(3):
        await stub.Store(store_request(user, f"number {number}"), timeout=30)
    done = await run_command_for(server.address, "list", "-u", user, "--limit", "2")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "more memories match: --limit 4 shows more than these 2\n"
    assert (await run_command_for(server.address, "list", "-u", user, "--limit", "3")).stderr == ""


async def test_a_search_that_returns_all_it_ranked_names_no_candidates(
    stub: Stub, server: RpcServer, user: str
) -> None:
    for number in range(8):
        await stub.Store(store_request(user, f"number {number}"), timeout=30)
    printed = (await run_command_for(server.address, "search", "number", "-u", user)).stdout
    assert printed.splitlines()[-1].startswith("5 hits · ")


@pytest.mark.parametrize("below", ["", "data"])
def test_a_data_directory_that_is_a_file_is_named_with_its_setting(tmp_path: Path, below: str) -> None:
    path = tmp_path / "file"
    path.touch()
    done = run_command(
        "serve", status=1, MEMORY_LISTEN="127.0.0.1:0", MEMORY_DATA_DIR=str(path / below), MEMORY_LOG_LEVEL="error"
    )
    assert done.stderr == (
        f"error: MEMORY_DATA_DIR: cannot use {path / below} as the data directory: {path} is a file; set it to a "
        "directory that this user can write to, for example MEMORY_DATA_DIR=/var/lib/semantic_memory\n"
    )


@pytest.mark.parametrize("listen", ["foo", "0.0.0.0", "localhost", "50051", ""])
def test_an_address_to_listen_at_without_a_port_is_no_matter_of_plaintext(listen: str) -> None:
    done = run_command("serve", status=2, MEMORY_LISTEN=listen)
    assert done.stderr.startswith(f"MEMORY_LISTEN: {listen!r} has no port: use the form HOST:PORT")
    assert "plaintext" not in done.stderr


def test_a_port_in_use_is_one_line_of_mcp_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        done = run_command("mcp", "--user", "a", "--http", listen, status=1)
    assert done.stderr.startswith(
        f"error: --http: cannot listen on {listen}: another process listens there: stop it, or"
    )
    assert f"for example --http={listen}" not in done.stderr


def test_make_key_shows_the_key_apart_from_its_entry() -> None:
    done = run_command("make-key", "backend", "--user", "alice", "--right", "read")
    assert done.stderr.startswith("The key, which is not shown again: ")
    assert "backend" in done.stdout
    assert done.stderr.split()[-1] not in done.stdout
