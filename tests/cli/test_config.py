"""The command `config`, and settings that prevent the start of a server."""

import json
import re
from pathlib import Path

import pytest

from memory_service.settings import Settings
from tests.cli.in_process import run_command


def test_config_prints_every_setting_with_its_source_and_no_password() -> None:
    done = run_command("config", "--json", MEMORY_VALKEY_URL="valkeys://me:s3cret%40@host:6379,other", MEMORY_GRACE="3")
    printed = json.loads(done.stdout)
    assert printed["unknown"] == []
    assert printed["settings"].keys() == {f"MEMORY_{name.upper()}" for name in Settings.model_fields}
    assert printed["settings"]["MEMORY_VALKEY_URL"] == {
        "value": "valkeys://me:***@host:6379,other",
        "from": "environment",
    }
    assert printed["settings"]["MEMORY_GRACE"] == {"value": 3.0, "from": "environment"}
    assert printed["settings"]["MEMORY_LISTEN"]["from"] == "default"


def test_config_masks_the_passwords_of_all_urls() -> None:
    done = run_command(
        "config",
        MEMORY_JWT_ISSUER="i",
        MEMORY_JWT_AUDIENCE="a",
        MEMORY_JWT_JWKS="https://me:s3cret@keys/jwks",
        MEMORY_VALKEY_URL="valkey://:s3cret@h/",
        MEMORY_BEDROCK_ENDPOINT_URL="https://:s3cret@aws",
    )
    assert "s3cret" not in done.stdout + done.stderr
    assert done.stdout.count("***") == 3


def test_config_reports_variables_that_are_no_settings() -> None:
    done = run_command(
        "config", MEMORY_VALKEY_TIMOUT="3", MEMORY_ADDRESS="x:1", MEMORY_MCP_KEY="k", MEMORY_CONSOLE_KEY="k"
    )
    assert "MEMORY_VALKEY_TIMOUT is not a setting: did you mean MEMORY_VALKEY_TIMEOUT?" in done.stdout
    for name in ("MEMORY_ADDRESS", "MEMORY_MCP_KEY", "MEMORY_CONSOLE_KEY"):
        assert name not in done.stdout


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
def test_a_setting_that_prevents_the_start_is_one_line_with_an_example(tmp_path: Path, name: str, value: str) -> None:
    _refusal(tmp_path, name, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMORY_BEDROCK_MODEL", "amazon.titan-image"),
        ("MEMORY_BEDROCK_DIMENSION", "99"),
        ("MEMORY_BEDROCK_REGION", "us east"),
        ("MEMORY_BEDROCK_ENDPOINT_URL", "bedrock:443"),
    ],
)
def test_a_wrong_bedrock_setting_is_reported_before_an_engine_starts(tmp_path: Path, name: str, value: str) -> None:
    stderr = _refusal(tmp_path, name, MEMORY_EMBEDDER="bedrock", **{"MEMORY_BEDROCK_REGION": "us-east-1", name: value})
    assert "starting_embedded_engine" not in stderr


def _refusal(data_dir: Path, name: str, **environment: str) -> str:
    """Return the standard error of a server that refuses to start because of this setting."""
    settings = {"MEMORY_LISTEN": "127.0.0.1:0", "MEMORY_DATA_DIR": str(data_dir), **environment}
    done = run_command("serve", status=None, **settings)
    assert done.returncode in {1, 2}
    # Without log lines and those of gRPC.
    [line] = [one for one in done.stderr.splitlines() if not re.match(r'\{"|[EWI]\d{4} ', one)]
    assert line.startswith((name, "error: " + name))
    assert f"for example {name}=" in line
    return done.stderr


def test_conflicting_settings_are_named() -> None:
    done = run_command("serve", status=2, MEMORY_LISTEN="0.0.0.0:0")
    assert done.stderr.startswith("MEMORY_LISTEN: 0.0.0.0:0 lets other machines connect in plaintext: set")
