"""`memory-service config` and `doctor`, and what stops a start, on good setups and on bad ones."""

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.doctor import engine
from memory_service.doctor.checks import examine
from memory_service.doctor.finding import Finding, State
from memory_service.settings import Settings
from memory_service.valkey import Address, Connections, ConnectionSettings
from memory_service.valkey.schema import metadata_key
from memory_service.valkey.server_info import Node, nodes
from tests.support.api import TIMEOUT
from tests.support.credentials import server_with_auth, stub_with_credential
from tests.support.server_process import COMMAND, environment, run_server_process
from tests.valkey.test_acl import RULE, user_with_rule

HERE = ConnectionSettings((Address("valkey"),))
GOOD = Node((9, 1, 2), (1, 2, 1), (1, 0, 2), False, True, "always", "", 2**30, "noeviction")


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(COLUMNS="300", **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def findings(settings: Settings, **changes: Any) -> dict[str, Finding]:
    changed = Settings(**{**settings.model_dump(exclude={"data_dir"}), **changes})
    return {one.what: one async for one in examine(changed)}


def test_config_tells_every_setting_and_where_it_comes_from_but_no_password() -> None:
    done = run("config", "--json", MEMORY_VALKEY_URL="valkeys://me:s3cret%40@host:6379,other", MEMORY_GRACE="3")
    told = json.loads(done.stdout)
    assert told["unknown"] == []
    assert told["settings"].keys() == {f"MEMORY_{name.upper()}" for name in Settings.model_fields}
    assert told["settings"]["MEMORY_VALKEY_URL"] == {"value": "valkeys://me:***@host:6379,other", "from": "environment"}
    assert told["settings"]["MEMORY_GRACE"] == {"value": 3.0, "from": "environment"}
    assert told["settings"]["MEMORY_LISTEN"]["from"] == "default"


def test_config_masks_passwords_wherever_urls_have_them() -> None:
    urls = {"MEMORY_JWT_JWKS": "https://me:s3cret@keys/jwks", "MEMORY_BEDROCK_ENDPOINT_URL": "https://:s3cret@aws"}
    done = run(
        "config", MEMORY_JWT_ISSUER="i", MEMORY_JWT_AUDIENCE="a", MEMORY_VALKEY_URL="valkey://:s3cret@h/", **urls
    )
    assert "s3cret" not in done.stdout + done.stderr
    assert done.stdout.count("***") == 3


def test_config_tells_of_variables_that_are_no_settings() -> None:
    done = run("config", MEMORY_VALKEY_TIMOUT="3", MEMORY_ADDRESS="x:1")
    assert "MEMORY_VALKEY_TIMOUT is no setting: MEMORY_VALKEY_TIMEOUT?" in done.stdout
    assert "MEMORY_ADDRESS" not in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMORY_VALKEY_URL", "redis://host"),
        ("MEMORY_VALKEY_URL", "valkeys://host/?ca=/nowhere"),
        ("MEMORY_EMBEDDER", "hash"),
        ("MEMORY_CALLER_RATE", "-1"),
        ("MEMORY_METRICS_LISTEN", "9464"),
        ("MEMORY_LOG_LEVEL", "loud"),
        ("MEMORY_LOG_SAMPLE", "2"),
        ("MEMORY_BEDROCK_DIMENSION", "many"),
        ("MEMORY_API_KEYS", "/nowhere"),
        ("MEMORY_HEALTH_LISTEN", "nowhere:x"),
        ("MEMORY_WORKERS", "65"),
    ],
)
def test_what_stops_the_start_is_one_line_with_the_setting_and_an_example(
    tmp_path: Path, name: str, value: str
) -> None:
    _stops(tmp_path, name, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMORY_BEDROCK_MODEL", "amazon.titan-image"),
        ("MEMORY_BEDROCK_DIMENSION", "99"),
        ("MEMORY_BEDROCK_REGION", "us east"),
        ("MEMORY_BEDROCK_ENDPOINT_URL", "bedrock:443"),
    ],
)
def test_what_bedrock_cannot_be_asked_for_stops_the_start_before_an_engine_is_started(
    tmp_path: Path, name: str, value: str
) -> None:
    told = _stops(tmp_path, name, MEMORY_EMBEDDER="bedrock", **{"MEMORY_BEDROCK_REGION": "us-east-1", name: value})
    assert "starting_embedded_engine" not in told


def _stops(data_dir: Path, name: str, **environment: str) -> str:
    """What a server says that is not started for this setting."""
    done = run("serve", MEMORY_DATA_DIR=str(data_dir), **{"MEMORY_LISTEN": "127.0.0.1:0", **environment})
    assert done.returncode in {1, 2}
    # Beside the log, and what gRPC itself says of an address.
    [line] = [one for one in done.stderr.splitlines() if not re.match(r'\{"|[EWI]\d{4} ', one)]
    assert line.startswith((name, "error: " + name))
    assert f"for example {name}=" in line
    return done.stderr


def test_settings_that_do_not_go_together_are_named() -> None:
    done = run("serve", MEMORY_LISTEN="0.0.0.0:0")
    assert done.returncode == 2
    assert done.stderr.startswith("MEMORY_LISTEN: MEMORY_LISTEN=0.0.0.0:0 would serve in plaintext")


@pytest.fixture
async def ensured(settings: Settings) -> Settings:
    """Settings whose index exists, and is their own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    async with server_with_auth(settings, index=name) as server, stub_with_credential(server) as stub:
        await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
    return Settings(**{**settings.model_dump(exclude={"data_dir"}), "index": name})


async def test_doctor_finds_a_good_setup_good(ensured: Settings) -> None:
    found = await findings(ensured)
    for what in ("access", "embedder", "engine", "acl", "modules", "index"):
        assert found[what].state is State.GOOD, found[what]
    assert "384 dimensions of all-minilm-l6-v2-int8" in found["index"].told


async def test_doctor_looks_at_every_node_and_changes_nothing(ensured: Settings, engine: Connections) -> None:
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


async def test_doctor_tells_of_an_engine_that_is_away(settings: Settings) -> None:
    found = await findings(settings, valkey_url=SecretStr("valkey://:s3cret@127.0.0.1:1"))
    assert found["engine"].state is State.WRONG
    assert "127.0.0.1:1: Valkey cannot be reached" in found["engine"].told
    assert "s3cret" not in str(found)
    assert "index" not in found


async def test_doctor_tells_which_rights_are_missing(ensured: Settings, engine: Connections, valkey_url: str) -> None:
    async with user_with_rule(engine, valkey_url, RULE) as url:
        found = await findings(ensured, valkey_url=SecretStr(url))
        assert found["acl"].state is State.GOOD
        assert found["index"].state is State.GOOD
    rule = [word for word in RULE if word not in {"+json.set", "+ft._list", "+pexpireat"}]
    async with user_with_rule(engine, valkey_url, rule) as url:
        found = await findings(ensured, valkey_url=SecretStr(url))
        assert found["acl"].state is State.WRONG
        assert found["acl"].told == "Valkey refuses PEXPIREAT, JSON.SET, FT._LIST"
        assert "deploy/valkey.acl" in found["acl"].advice


async def test_doctor_tells_of_an_index_that_is_missing_or_of_another_model(
    ensured: Settings, engine: Connections
) -> None:
    assert (await findings(ensured, index="test_nowhere"))["index"].state is State.RISK
    kept = json.loads(await engine.run(["GET", metadata_key(ensured.index)]))
    for change, told in (
        ({"embedding_model": "other"}, "holds 384 dimensions of other"),
        ({"schema_version": 1}, "earlier"),
    ):
        await engine.run(["SET", metadata_key(ensured.index), json.dumps({**kept, **change})])
        found = await findings(ensured)
        assert found["index"].state is State.WRONG
        assert told in found["index"].told
    await engine.run(["DEL", metadata_key(ensured.index)])
    assert "restores it" in (await findings(ensured))["index"].advice


async def test_doctor_tells_of_an_embedder_without_credentials(
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
    ("changes", "state", "told"),
    [
        ({}, State.GOOD, "Valkey 9.1.2, valkey-search 1.2.1, valkey-json 1.0.2"),
        ({"version": (9, 1, 1)}, State.WRONG, "Valkey 9.1.1 is older than 9.1.2"),
        ({"search": (1, 2, 0)}, State.WRONG, "valkey-search 1.2.0 is older than 1.2.1"),
        ({"search": None}, State.WRONG, "lacks the module for search"),
        ({"json": None, "search": None}, State.WRONG, "search and JSON"),
        ({"redisearch": True, "version": (8, 0, 0), "search": (2, 10, 5), "json": (2, 8, 3)}, State.GOOD, "RediSearch"),
    ],
)
def test_versions_have_floors(changes: dict[str, Any], state: State, told: str) -> None:
    [finding] = engine.versions(_node(**changes))
    assert finding.state is state
    assert told in finding.told
    assert bool(finding.advice) == (state is State.WRONG)


@pytest.mark.parametrize(
    ("changes", "state", "told"),
    [
        ({}, State.GOOD, "survives"),
        ({"appendfsync": "everysec"}, State.RISK, "about a second"),
        ({"appendfsync": None}, State.UNKNOWN, "may not read"),
        ({"appendonly": False}, State.WRONG, "every memory is lost"),
        ({"appendonly": False, "save": "3600 1"}, State.WRONG, "since the last snapshot"),
    ],
)
def test_persistence_is_told_with_what_is_at_risk(changes: dict[str, Any], state: State, told: str) -> None:
    finding = engine.persistence(_node(**changes), HERE)
    assert (finding.state, told in finding.told) == (state, True), finding


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, State.GOOD), ({"maxmemory": 0}, State.RISK), ({"maxmemory_policy": "allkeys-lru"}, State.WRONG)],
)
def test_a_full_engine_must_forget_nothing(changes: dict[str, Any], state: State) -> None:
    assert engine.memory(_node(**changes)).state is state


def _node(**changes: Any) -> Node:
    fields = {name: getattr(GOOD, name) for name in Node.__slots__}
    return Node(**{**fields, **changes})


def test_the_command_says_what_to_do_and_its_status_whether_anything_is_wrong(tmp_path: Path) -> None:
    good = run("doctor", MEMORY_DATA_DIR=str(tmp_path))
    assert good.returncode == 0, good.stdout + good.stderr
    assert "memory-service ensure-index makes it" in good.stdout
    bad = run("doctor", "--json", MEMORY_DATA_DIR=str(tmp_path), MEMORY_VALKEY_URL="valkey://127.0.0.1:1")
    assert bad.returncode == 1
    told = {one["what"]: one for one in json.loads(bad.stdout)}
    assert told["engine"]["state"] == "wrong"
    assert told["engine"]["advice"]


def test_doctor_leaves_the_engine_of_a_running_server_alone(tmp_path: Path) -> None:
    with run_server_process(MEMORY_DATA_DIR=str(tmp_path)):
        done = run("doctor", MEMORY_DATA_DIR=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "another memory-service uses" in done.stdout
