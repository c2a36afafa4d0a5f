"""Output and exit statuses of the commands."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.cli.in_process import Completed, run_command
from tests.support.server_process import COMMAND, environment, run_server_process

Run = Callable[..., Completed]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs commands against a server that has an embedded engine and an index."""
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as server_process:
        run_command("ensure-index", MEMORY_ADDRESS=server_process.address)
        yield partial(run_command, MEMORY_ADDRESS=server_process.address)


def test_commands_store_search_get_and_delete(run: Run) -> None:
    stored = run("store", "We deployed to ECS using a blue-green strategy", "-u", "cli", "-s", "sess_1")
    assert stored.stdout.startswith("stored ")
    run("store", "Valkey HNSW index provides vector search", "-u", "cli", "--role", "assistant", "--id", "m2")
    lines = run("search", "How do I deploy?", "-u", "cli").stdout.splitlines()
    assert "We deployed to ECS" in lines[0]
    assert "sess_1" in lines[0]
    assert lines[0].startswith("+0.")
    assert lines[2].startswith("2 hits · memory_idx by FLAT")
    assert "We deployed" not in run("search", "deploy", "-u", "cli", "--role", "assistant").stdout
    assert "Valkey HNSW" in run("get", "m2", "-u", "cli").stdout
    assert "deleted m2" in run("delete", "m2", "nothing", "-u", "cli").stdout
    assert "NOT_FOUND" in run("get", "m2", "-u", "cli", status=1).stderr
    assert "all-minilm-l6-v2-int8" in run("indexes").stdout
    assert "exists and matches" in run("ensure-index").stdout
    assert run("health").stdout == "SERVING\n"
    assert run("health", "live").stdout == "SERVING\n"


def test_ensure_index_creates_an_index_with_a_layout(run: Run) -> None:
    ensured = json.loads(run("ensure-index", "hashes", "--layout", "HASH", "--json").stdout)
    assert ensured["index"]["layout"] == "LAYOUT_HASH"
    listed = run("indexes").stdout
    assert [line.split()[0] for line in listed.splitlines() if line[:1].isalpha()] == ["index", "hashes", "memory_idx"]
    assert "HASH" in listed
    assert "have the layout HASH" in run("ensure-index", "hashes", "--layout", "JSON", status=1).stderr
    run("drop-index", "hashes", "--yes")


def test_store_reports_truncation_and_drop_index_its_deletions(run: Run) -> None:
    run("ensure-index", "long")
    printed = run("store", "a word and " * 300, "-u", "l", "--index", "long").stdout
    assert "too long for the embedding model" in printed
    assert "too long for the embedding model" not in run("store", "a word", "-u", "l", "--index", "long").stdout
    dropped = run("drop-index", "long", "--yes", "--delete-memories").stdout
    assert "deleted 2 memories" in dropped
    assert "kept" not in dropped


def test_json_output_has_the_form_of_the_protobuf_messages(run: Run) -> None:
    stored = json.loads(run("store", "json", "-u", "j", "--at", "2026-01-02T03:04:05", "--json").stdout)
    assert stored["timestamp"] == "2026-01-02T03:04:05Z"
    assert json.loads(run("get", stored["id"], "-u", "j", "--json").stdout)["content"] == "json"
    lines = run("search", "json", "-u", "j", "--json", "--since", "2026-01-01", "--until", "2026-02-01").stdout
    [response] = [json.loads(line) for line in lines.splitlines()]
    assert response["hits"][0]["memory"]["user_id"] == "j"
    assert response["summary"]["hit_count"] == 1
    assert json.loads(run("delete", stored["id"], "-u", "j", "--json").stdout)["deleted_ids"] == [stored["id"]]
    assert json.loads(run("indexes", "--json").stdout)["indexes"][0]["name"] == "memory_idx"
    assert json.loads(run("ensure-index", "--json").stdout)["index"]["dimension"] == 384
    assert json.loads(run("health", "--json").stdout) == {"status": "SERVING"}


def test_a_message_has_labels_metadata_and_expiry(run: Run) -> None:
    options = "--label ops --label plan_b --metadata url=https://x?a=b --metadata n= --expires-at 2126-01-02 --id l1"
    run("store", "labelled", "-u", "l", *options.split())
    shown = [line.split() for line in run("get", "l1", "-u", "l").stdout.splitlines()]
    assert ["labels", "ops,", "plan_b"] in shown
    assert ["metadata", "url=https://x?a=b"] in shown
    assert ["expires", "2126-01-02T00:00:00Z"] in shown
    assert json.loads(run("get", "l1", "-u", "l", "--json").stdout)["metadata"] == {
        "url": "https://x?a=b",
        "n": "",
    }
    stored = json.loads(run("store", "short", "-u", "l", "--at", "2026-01-01", "--ttl", "30d", "--json").stdout)
    assert stored["expire_time"] > stored["timestamp"]
    assert "labelled" in run("search", "x", "-u", "l", "--any-label", "plan_b").stdout
    assert "labelled" not in run("search", "x", "-u", "l", "--all-label", "ops", "--all-label", "dev").stdout


def test_store_reports_near_duplicates(run: Run) -> None:
    run("store", "We ship on Fridays", "-u", "n", "--id", "first")
    lines = run("store", "We ship on Friday", "-u", "n", "--near-duplicates", "0.8").stdout.splitlines()
    assert lines[0].startswith("stored ")
    assert "first is a near-duplicate" in lines[1]


def test_list_prints_memories_in_order_of_time(run: Run) -> None:
    for number in range(3):
        run("store", f"number {number}", "-u", "o", "--at", f"2026-01-01T00:00:0{number}.25")
    lines = run("list", "-u", "o").stdout.splitlines()
    assert [line.split("user")[1].strip() for line in lines] == ["number 0", "number 1", "number 2"]
    assert "  2026-01-01 00:00:00  " in lines[0]
    [newest] = run("list", "-u", "o", "--newest-first", "--limit", "1", "--json").stdout.splitlines()
    assert json.loads(newest)["content"] == "number 2"
    within = ["--since", "2026-01-01T00:00:01", "--until", "2026-01-01T00:00:02.250Z", "--role", "user"]
    [line] = run("list", "--all-users", *within).stdout.splitlines()
    assert " o " in line
    assert "number 1" in line


def test_a_client_command_imports_neither_the_server_nor_numpy() -> None:
    heavy = {"numpy", "glide", "onnxruntime", "boto3", "memory_service.server", "memory_service.domain"}
    program = f"import sys, memory_service.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_errors_say_what_to_do(run: Run) -> None:
    refused = run("search", "q", status=1).stderr
    assert "INVALID_ARGUMENT" in refused
    assert "set --user, or set --all-users" in refused
    assert "-k:" in run("search", "q", "-u", "a", "-k", "0", status=1).stderr
    assert "ensure-index" in run("search", "q", "-u", "a", "--index", "none", status=1).stderr
    nowhere = run_command("indexes", status=1, MEMORY_ADDRESS="127.0.0.1:1").stderr
    assert "UNAVAILABLE" in nowhere
    assert "memory-service serve" in nowhere


def test_brackets_in_texts_are_printed_unchanged(run: Run) -> None:
    run("store", "see [red]alert[/] and [/bold]", "-u", "b", "--id", "[/x]")
    assert "see [red]alert[/] and [/bold]" in run("search", "alert", "-u", "b").stdout
    assert "[/x]" in run("delete", "[/x]", "[/y]", "-u", "b").stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMORY_VALKEY_URL", "http://user:secret@host"),
        ("MEMORY_EMBEDDER", "hash"),
        ("MEMORY_INDEX", "Not An Index"),
        ("MEMORY_VALKEY_CONNECTIONS", "0"),
    ],
)
def test_a_wrong_setting_is_reported_by_name_without_its_value(name: str, value: str) -> None:
    done = run_command("serve", status=2, **{name: value})
    assert name in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_searches_deletes_and_leaves_nothing_running(tmp_path: Path) -> None:
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
