"""The command `doctor`, on good and bad setups."""

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.doctor import engine
from memory_service.doctor.checks import run_checks
from memory_service.doctor.finding import Finding, State
from memory_service.settings import Settings
from memory_service.valkey import Address, Connections, ConnectionSettings
from memory_service.valkey.schema import metadata_key
from memory_service.valkey.server_info import Node, nodes
from tests.support.api import TIMEOUT
from tests.support.credentials import server_with_auth, stub_with_credential
from tests.support.server_process import COMMAND, environment, run_server_process
from tests.valkey.test_acl import RULE, user_with_rule

CONNECTION = ConnectionSettings((Address("valkey"),))
GOOD = Node((9, 1, 2), (1, 2, 1), (1, 0, 2), False, True, "always", "", 2**30, "noeviction")


def run_doctor(*arguments: str, status: int = 0, **settings: str) -> str:
    """Run `doctor` in a process of its own, since GLIDE serves one event loop per process; return what it prints."""
    done = subprocess.run(
        [*COMMAND, "doctor", *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


async def findings(settings: Settings, **changes: Any) -> dict[str, Finding]:
    changed = Settings(**{**settings.model_dump(exclude={"data_dir"}), **changes})
    return {one.subject: one async for one in run_checks(changed)}


@pytest.fixture
async def ensured(settings: Settings) -> Settings:
    """Settings with an index of their own, which exists."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    async with server_with_auth(settings, index=name) as server, stub_with_credential(server) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    return Settings(**{**settings.model_dump(exclude={"data_dir"}), "index": name})


async def test_doctor_reports_a_good_setup_as_good(ensured: Settings) -> None:
    found = await findings(ensured)
    for what in ("access", "embedder", "engine", "acl", "modules", "index"):
        assert found[what].state is State.GOOD, found[what]
    assert "384 dimensions of all-minilm-l6-v2-int8" in found["index"].summary


async def test_doctor_checks_every_node_and_changes_nothing(ensured: Settings, engine: Connections) -> None:
    def keys(reply: Any) -> Any:
        return reply if isinstance(reply, int) else sum(reply.values())

    before = keys(await engine.run(["DBSIZE"]))
    await findings(ensured)
    assert keys(await engine.run(["DBSIZE"])) == before
    for node in await nodes(engine):
        assert node.version >= (8, 0, 0)
        assert node.search
        assert node.json
        assert node.appendfsync in {"always", "everysec", "no"}


async def test_doctor_reports_an_unreachable_engine(settings: Settings) -> None:
    found = await findings(settings, valkey_url=SecretStr("valkey://:s3cret@127.0.0.1:1"))
    assert found["engine"].state is State.WRONG
    assert "127.0.0.1:1: Valkey cannot be reached" in found["engine"].summary
    assert "s3cret" not in str(found)
    assert "index" not in found


async def test_doctor_reports_missing_permissions(ensured: Settings, engine: Connections, valkey_url: str) -> None:
    async with user_with_rule(engine, valkey_url, RULE) as url:
        found = await findings(ensured, valkey_url=SecretStr(url))
        assert found["acl"].state is State.GOOD
        assert found["index"].state is State.GOOD
    rule = [word for word in RULE if word not in {"+json.set", "+ft._list", "+pexpireat"}]
    async with user_with_rule(engine, valkey_url, rule) as url:
        found = await findings(ensured, valkey_url=SecretStr(url))
        assert found["acl"].state is State.WRONG
        assert found["acl"].summary == "Valkey refuses PEXPIREAT, JSON.SET, FT._LIST"
        assert "deploy/valkey.acl" in found["acl"].advice


async def test_doctor_reports_an_index_that_is_missing_or_of_another_model(
    ensured: Settings, engine: Connections
) -> None:
    assert (await findings(ensured, index="test_nowhere"))["index"].state is State.RISK
    metadata = json.loads(await engine.run(["GET", metadata_key(ensured.index)]))
    for change, text in (
        ({"embedding_model": "other"}, "has 384 dimensions of other"),
        ({"schema_version": 1}, "earlier"),
    ):
        await engine.run(["SET", metadata_key(ensured.index), json.dumps({**metadata, **change})])
        found = await findings(ensured)
        assert found["index"].state is State.WRONG
        assert text in found["index"].summary
    await engine.run(["DEL", metadata_key(ensured.index)])
    assert "restore it" in (await findings(ensured))["index"].advice


async def test_doctor_reports_an_embedder_without_credentials(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    changes = {"embedder": "bedrock", "bedrock_region": "us-east-1", "bedrock_endpoint_url": "http://127.0.0.1:1"}
    found = await findings(settings, **changes)
    assert found["embedder"].state is State.WRONG
    assert "AWS credentials" in found["embedder"].advice


@pytest.mark.parametrize(
    ("changes", "state", "text"),
    [
        ({}, State.GOOD, "Valkey 9.1.2, valkey-search 1.2.1, valkey-json 1.0.2"),
        ({"version": (9, 1, 1)}, State.WRONG, "Valkey 9.1.1 is older than 9.1.2"),
        ({"search": (1, 2, 0)}, State.WRONG, "valkey-search 1.2.0 is older than 1.2.1"),
        ({"search": None}, State.WRONG, "has no module for search"),
        ({"json": None, "search": None}, State.WRONG, "search and JSON"),
        ({"redisearch": True, "version": (8, 0, 0), "search": (2, 10, 5), "json": (2, 8, 3)}, State.GOOD, "RediSearch"),
    ],
)
def test_versions_have_a_minimum(changes: dict[str, Any], state: State, text: str) -> None:
    [finding] = engine.check_versions(_node(**changes))
    assert finding.state is state
    assert text in finding.summary
    assert bool(finding.advice) == (state is State.WRONG)


@pytest.mark.parametrize(
    ("changes", "state", "text"),
    [
        ({}, State.GOOD, "survives"),
        ({"appendfsync": "everysec"}, State.RISK, "about a second"),
        ({"appendfsync": None}, State.UNKNOWN, "may not read"),
        ({"appendonly": False}, State.WRONG, "every memory is lost"),
        ({"appendonly": False, "save": "3600 1"}, State.WRONG, "since the last snapshot"),
    ],
)
def test_persistence_is_reported_with_what_a_crash_loses(changes: dict[str, Any], state: State, text: str) -> None:
    finding = engine.check_persistence(_node(**changes), CONNECTION)
    assert (finding.state, text in finding.summary) == (state, True), finding


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, State.GOOD), ({"maxmemory": 0}, State.RISK), ({"maxmemory_policy": "allkeys-lru"}, State.WRONG)],
)
def test_a_full_engine_must_not_evict(changes: dict[str, Any], state: State) -> None:
    assert engine.check_memory(_node(**changes)).state is state


def _node(**changes: Any) -> Node:
    fields = {name: getattr(GOOD, name) for name in Node.__slots__}
    return Node(**{**fields, **changes})


def test_doctor_gives_advice_and_exits_with_1_if_anything_is_wrong(tmp_path: Path) -> None:
    assert "create it with memory-service ensure-index" in run_doctor(MEMORY_DATA_DIR=str(tmp_path))
    url = "valkey://127.0.0.1:1"
    bad = run_doctor("--json", status=1, MEMORY_DATA_DIR=str(tmp_path), MEMORY_VALKEY_URL=url)
    states = {one["what"]: one for one in json.loads(bad)}
    assert states["engine"]["state"] == "wrong"
    assert states["engine"]["advice"]


def test_doctor_exits_with_3_if_a_running_server_uses_the_embedded_engine(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)):
        printed = run_doctor(status=3, MEMORY_DATA_DIR=str(tmp_path))
    assert "another memory-service uses" in printed
    assert "stop that server first" in printed
