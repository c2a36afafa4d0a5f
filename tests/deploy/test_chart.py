"""The chart, rendered by Helm with values passed in each possible way. `make check-deploy` checks its examples."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/semantic-memory"
HELM = ROOT / "scripts/helm.py"
TRIAL = {"valkey": {"trial": {"enabled": True}}, "access": {"insecure": True}}
WAYS = ["--values", "--set"]
"""The ways to pass a value to Helm; the first turns every number into a floating-point number, as --set-json does."""

pytestmark = [
    pytest.mark.skipif(not (ROOT / ".venv-deploy/helm").exists(), reason="needs Helm: make check-deploy downloads it"),
    pytest.mark.slow,
]


def helm(values: dict[str, Any], *options: str, command: str = "template") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(HELM), command, "memory", str(CHART), "--kube-version", "1.30", "--values", "-"]
    given = json.dumps(TRIAL | values)
    return subprocess.run([*program, *options], input=given, capture_output=True, text=True, check=False)


def render(values: dict[str, Any], *options: str) -> list[dict[str, Any]]:
    done = helm(values, *options)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one is not None]


def error_of(values: dict[str, Any], *options: str) -> str:
    done = helm(values, *options)
    assert done.returncode != 0
    return done.stderr


def of_kind(manifests: list[dict[str, Any]], kind: str, name: str = "memory-semantic-memory") -> dict[str, Any]:
    [found] = [one for one in manifests if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def container(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return found


def variables(manifests: list[dict[str, Any]]) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(manifests)["env"]}


def admitted_peers(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the peers that the network policy admits for each port; None admits everyone."""
    rules = of_kind(manifests, "NetworkPolicy")["spec"]["ingress"]
    return {port["port"]: rule.get("from") or None for rule in rules for port in rule["ports"]}


@settings(max_examples=15)
@given(number=st.integers(-(2**53), 2**53) | st.integers(10**6, 10**10))
@pytest.mark.parametrize("by", WAYS)
def test_integers_reach_settings_unrounded(by: str, number: int) -> None:
    if by == "--values":
        manifests = render({"settings": {"MEMORY_ANY": number}})
    else:
        manifests = render({}, by, f"settings.MEMORY_ANY={number}")
    assert variables(manifests)["MEMORY_ANY"] == str(number)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize(("value", "text"), [("0.5", "0.5"), ("true", "true"), ("0", "0"), ('"1e6"', "1e6")])
def test_other_values_reach_settings_as_written(by: str, value: str, text: str) -> None:
    if by == "--values":
        manifests = render({"settings": {"MEMORY_ANY": json.loads(value)}})
    else:
        unquoted = value.strip('"')
        manifests = render({}, by, f"settings.MEMORY_ANY={unquoted}")
    assert variables(manifests)["MEMORY_ANY"] == text


def test_an_integer_that_helm_rounds_is_refused() -> None:
    assert "settings" in error_of({"settings": {"MEMORY_ANY": 2**54}})


@pytest.mark.parametrize("by", WAYS)
def test_numbers_in_manifests_are_integers(by: str) -> None:
    large = {
        "replicas": 2_000_000,
        "autoscaling": {"enabled": False},
        "podDisruptionBudget": {"maxUnavailable": 3_000_000},
    }
    if by == "--values":
        manifests = render(large)
    else:
        options = ["replicas=2000000", "autoscaling.enabled=false", "podDisruptionBudget.maxUnavailable=3000000"]
        manifests = render({}, *(part for option in options for part in (by, option)))
    counts = (
        of_kind(manifests, "Deployment")["spec"]["replicas"],
        of_kind(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"],
    )
    assert counts == (2_000_000, 3_000_000)
    assert {type(one) for one in counts} == {int}


@pytest.mark.parametrize("given_by", ["values, empty", "values, null", "--set, null"])
@pytest.mark.parametrize(("value", "port"), [("clients", "grpc"), ("metricsFrom", "metrics")])
def test_an_empty_list_of_peers_admits_no_peer(given_by: str, value: str, port: str) -> None:
    by, _, written = given_by.partition(", ")
    if by == "values":
        manifests = render({"networkPolicy": {value: [] if written == "empty" else None}})
    else:
        manifests = render({}, by, f"networkPolicy.{value}={'[]' if written == 'empty' else 'null'}")
    open_ports = admitted_peers(manifests)
    assert port not in open_ports
    assert [name for name, peers in open_ports.items() if peers is None] == ["health"]


@pytest.mark.parametrize("value", ["clients", "metricsFrom", "valkeyTo"])
def test_a_peer_that_selects_nothing_is_refused(value: str) -> None:
    assert value in error_of({"networkPolicy": {value: [{}]}})


def test_a_key_set_in_a_secret_is_mounted_where_the_setting_names_it() -> None:
    jwt = {"jwksSecret": "provider-keys", "issuer": "https://id.example", "audience": "memory"}
    manifests = render({"access": {"insecure": True, "jwt": jwt}})
    file = Path(variables(manifests)["MEMORY_JWT_JWKS"])
    [volume] = [one["name"] for one in container(manifests)["volumeMounts"] if one["mountPath"] == str(file.parent)]
    volumes = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": volume, "secret": {"secretName": "provider-keys", "defaultMode": 0o440}} in volumes


@pytest.mark.parametrize(
    ("jwt", "why"),
    [
        ({"jwksSecret": "keys"}, "go together"),
        ({"jwksSecret": "keys", "jwks": "https://id.example", "issuer": "i", "audience": "a"}, "exclude each other"),
        ({"jwks": "/etc/keys.json", "issuer": "i", "audience": "a"}, "jwks"),
    ],
)
def test_an_unreachable_key_set_is_refused(jwt: dict[str, str], why: str) -> None:
    assert why in error_of({"access": {"insecure": True, "jwt": jwt}})


@pytest.mark.parametrize("operator", [False, True])
def test_the_metrics_of_every_worker_can_be_scraped(operator: bool) -> None:
    manifests = render({"workers": 12, "metrics": {"serviceMonitor": {"enabled": operator}}})
    assert variables(manifests)["MEMORY_WORKERS"] == "12"
    first = int(variables(manifests)["MEMORY_METRICS_LISTEN"].rpartition(":")[2])
    ports = {
        one["name"]: one["containerPort"] for one in container(manifests)["ports"] if one["name"].startswith("metrics")
    }
    assert sorted(ports.values()) == [first + worker for worker in range(12)]
    assert {name for name in admitted_peers(manifests) if name.startswith("metrics")} == ports.keys()
    scraped = [one for one in manifests if one["metadata"]["labels"].get("semantic-memory/metrics") == "true"]
    annotated = {one["metadata"].get("annotations", {}).get("prometheus.io/port") for one in scraped}
    assert annotated == ({None} if operator else {str(port) for port in ports.values()})
    assert {ports[one["spec"]["ports"][0]["targetPort"]] for one in scraped} == set(ports.values())
    if operator:
        monitor = of_kind(manifests, "ServiceMonitor")["spec"]
        assert [one["port"] for one in monitor["endpoints"]] == ["metrics"]
        assert {one["spec"]["ports"][0]["name"] for one in scraped} == {"metrics"}
        assert all(monitor["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items() for one in scraped)


@pytest.mark.parametrize("name", ["MEMORY_LISTEN", "MEMORY_HEALTH_LISTEN", "MEMORY_METRICS_LISTEN", "MEMORY_WORKERS"])
def test_settings_that_determine_ports_are_refused(name: str) -> None:
    assert name in error_of({"settings": {name: "2"}})
    assert name in error_of({"extraEnv": [{"name": name, "value": "2"}]})


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({}, "ensure-index"),
        (
            {"tls": {"secret": "tls"}, "access": {"apiKeysSecret": "keys"}},
            '--ca /etc/semantic-memory/tls/ca.crt --token "$OPERATOR_KEY" ensure-index',
        ),
        (
            {"tls": {"secret": "tls", "clientCaSecret": "ca"}, "access": {}},
            "--ca ca.crt --cert tls.crt --key tls.key ensure-index",
        ),
    ],
    ids=["plaintext", "keys", "client certificates"],
)
def test_the_notes_name_the_options_that_the_first_command_needs(values: dict[str, Any], arguments: str) -> None:
    done = helm(values, command="notes")
    assert f" memory-service {arguments} --address memory-semantic-memory" in done.stdout, done.stderr
    assert ("$OPERATOR_KEY" in done.stdout) == ("$OPERATOR_KEY" in arguments)


def test_an_installation_for_a_trial_asks_for_at_most_one_cpu() -> None:
    cpu = {"250m": 0.25, "500m": 0.5, "1": 1.0}
    manifests = render({})
    pods = {
        (one["kind"], one["metadata"]["name"]): one["spec"]["template"]["spec"]["containers"]
        for one in manifests
        if one["kind"] in {"Deployment", "StatefulSet"}
    }
    asked = {kind: sum(cpu[c["resources"]["requests"]["cpu"]] for c in several) for (kind, _), several in pods.items()}
    assert 3 * asked["Deployment"] + asked["StatefulSet"] <= 1.0, "two pods, and a third during an upgrade"
