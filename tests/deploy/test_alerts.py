"""Alert rules and dashboard use existing metrics, and each alert has a section in docs/alerts.md."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from memory_service.domain.errors import Reason
from memory_service.settings import Settings
from tests.rpc.test_metrics import metered_server, wait_for_metric
from tests.support.api import TIMEOUT, store_request

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load(ROOT.joinpath("deploy/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads(ROOT.joinpath("deploy/grafana/dashboard.json").read_text())


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", []))


async def test_every_metric_of_alerts_and_dashboard_exists(settings: Settings) -> None:
    used = {name for one in expressions() for name in re.findall(r"\b(?:grpc|semantic_memory|process)_[a-z_]+", one)}
    used -= {"grpc_method", "grpc_code", "grpc_service", "semantic_memory"}
    async with metered_server(settings, index_look_every=0.2) as (server, memories):
        await memories.Store(store_request("alice", "a canary"), timeout=TIMEOUT)
        await wait_for_metric(server, "semantic_memory_index_memories", 1)
        metrics = await wait_for_metric(server, "semantic_memory_index_drift", 0)
    exported = {one.name for one in metrics.samples} | set(re.findall(r"^# TYPE (\S+)", metrics.text, re.MULTILINE))
    missing = {name for name in used if name not in exported}
    # Histograms and counters without a sample show only their family.
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in exported}
    assert {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in missing} <= families
    assert len(used) > 20


@pytest.mark.parametrize(
    "panel", [one for one in DASHBOARD["panels"] if one["type"] == "stat"], ids=lambda one: one["title"]
)
def test_stat_panels_are_instant_and_have_their_own_thresholds(panel: dict[str, Any]) -> None:
    # By default, Grafana shows the last value of the time range, even if the server is down, and turns red from 80.
    assert all(target["instant"] and not target["range"] for target in panel["targets"])
    assert "thresholds" in panel["fieldConfig"]["defaults"]


def test_codes_and_reasons_of_alerts_and_dashboard_exist() -> None:
    values = [value for one in expressions() for value in re.findall(r'(?:reason|outcome)[!=]~?"([^"]+)"', one)]
    assert {one for value in values for one in value.split("|")} <= {*Reason, "OK"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_a_runbook_section(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
    page = ROOT.joinpath("docs/alerts.md").read_text()
    [section] = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert "*Do:*" in section


def test_the_runbook_lists_exactly_the_alerts() -> None:
    page = ROOT.joinpath("docs/alerts.md").read_text()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == [rule["alert"] for rule in RULES]
