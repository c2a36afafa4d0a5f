"""Names, ports, probes and times in the deployment files match the service. `make check-deploy` checks their syntax."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from semantic_memory.v1 import error_reason_pb2

from memory_service.rpc.server import SERVICE
from memory_service.settings import Settings

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())


def pod(manifest: Path) -> dict[str, Any]:
    """Return the pod template of the Deployment."""
    [deployment] = [one for one in yaml.safe_load_all(manifest.read_text()) if one["kind"] == "Deployment"]
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def variables(manifest: Path) -> dict[str, str]:
    """Return the environment of the service, with a URL in place of the one in a Secret."""
    [container] = pod(manifest)["containers"]
    return {one["name"]: one.get("value", "valkey://valkey") for one in container["env"]}


def image_value(name: str) -> str:
    [value] = re.findall(rf"{name}=(\S+)", DOCKERFILE)
    return str(value)


def settings_from(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a container with this environment; fail on an unknown setting."""
    own = {name: value for name, value in environment.items() if name.startswith("MEMORY_")}
    known = {f"MEMORY_{name.upper()}" for name in Settings.model_fields}
    assert own.keys() <= known
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one.name)
def test_a_pod_is_configured_as_the_service_expects(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(variables(manifest), monkeypatch)
    one, [container] = pod(manifest), pod(manifest)["containers"]
    wait = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert one["terminationGracePeriodSeconds"] > wait + settings.drain + settings.grace
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings.listen.endswith(f":{ports['grpc']}")
    assert settings.health_listen is not None
    assert settings.health_listen.endswith(f":{ports['health']}")
    probes = {kind: container[f"{kind}Probe"]["grpc"] for kind in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {ports["health"]}
    assert {kind: probe.get("service", "") for kind, probe in probes.items()} == {
        "startup": "",
        "readiness": SERVICE,
        "liveness": "",
    }


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one.name)
def test_files_that_settings_name_are_mounted(manifest: Path) -> None:
    [container] = pod(manifest)["containers"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    named = {str(Path(value).parent) for value in variables(manifest).values() if value.startswith("/")}
    assert named <= mounted


def test_the_compose_file_sets_known_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
        for name, value in COMPOSE["services"]["memory"]["environment"].items()
    }
    settings = settings_from({"MEMORY_LISTEN": image_value("MEMORY_LISTEN"), **environment}, monkeypatch)
    grace = int(COMPOSE["services"]["memory"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.drain + settings.grace


def test_valkey_in_the_compose_file_rejects_writes_before_its_container_is_full() -> None:
    valkey = COMPOSE["services"]["valkey"]
    options = dict(option.removeprefix("--").split(" ", 1) for option in valkey["command"][1:])
    assert options["maxmemory-policy"] == "noeviction"
    container = int(valkey["deploy"]["resources"]["limits"]["memory"].removesuffix("g"))
    assert int(options["maxmemory"].removesuffix("gb")) <= 0.75 * container


def test_the_health_check_of_the_image_uses_its_health_port() -> None:
    port = image_value("MEMORY_HEALTH_LISTEN").rpartition(":")[2]
    assert f'CMD ["memory-service", "health", "--address", "127.0.0.1:{port}"]' in DOCKERFILE


def test_all_files_have_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "deploy/helm/semantic-memory/Chart.yaml").read_text())
    assert chart["appVersion"] == project
    assert image_value("ARG VERSION") == project


def test_the_runbook_has_every_error_reason() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    reasons = [name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]]
    assert [reason for reason in reasons if f"| `{reason}` |" not in runbook] == []
