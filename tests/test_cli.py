"""The commands: what they print, and their exit statuses."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.serving import COMMAND, Served, cli, environment, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with an embedded engine and an index."""
    with serving(MEMORY_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as served:
        served.cli("ensure-index")
        yield served


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


def test_texts_in_brackets_are_printed_as_they_are(served: Served) -> None:
    served.cli("store", "see [red]alert[/] and [/bold]", "-u", "b", "--id", "[/x]")
    assert "see [red]alert[/] and [/bold]" in served.cli("search", "alert", "-u", "b").stdout
    assert "[/x]" in served.cli("delete", "[/x]", "[/y]", "-u", "b").stdout


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
