"""The alert rules and the dashboard speak of metrics that there are, and each alert has its page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from memory_service.domain.errors import Reason
from memory_service.settings import Settings
from tests.rpc.test_metrics import becomes, metered_server
from tests.support.api import TIMEOUT, store_request

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load(ROOT.joinpath("deploy/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads(ROOT.joinpath("deploy/grafana/dashboard.json").read_text())


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", []))


async def test_every_metric_of_alerts_and_dashboard_exists(settings: Settings) -> None:
    asked = {name for one in expressions() for name in re.findall(r"\b(?:grpc|semantic_memory|process)_[a-z_]+", one)}
    asked -= {"grpc_method", "grpc_code", "grpc_service", "semantic_memory"}
    async with metered_server(settings, index_look_every=0.2) as (server, memories):
        await memories.Store(store_request("alice", "a canary"), timeout=TIMEOUT)
        await becomes(server, "semantic_memory_index_memories", 1)
        seen = await becomes(server, "semantic_memory_index_drift", 0)
    shown = {one.name for one in seen.samples} | set(re.findall(r"^# TYPE (\S+)", seen.text, re.MULTILINE))
    missing = {name for name in asked if name not in shown}
    # Of histograms and counters without a sample only the family is shown.
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown}
    assert {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in missing} <= families
    assert len(asked) > 20


@pytest.mark.parametrize(
    "panel", [one for one in DASHBOARD["panels"] if one["type"] == "stat"], ids=lambda one: one["title"]
)
def test_stat_panels_are_instant_and_have_their_own_thresholds(panel: dict[str, Any]) -> None:
    # Left to Grafana it is the last one of the time that is shown, be the server gone since, and red from 80 on.
    assert all(target["instant"] and not target["range"] for target in panel["targets"])
    assert "thresholds" in panel["fieldConfig"]["defaults"]


def test_codes_and_reasons_of_alerts_and_dashboard_exist() -> None:
    told = [value for one in expressions() for value in re.findall(r'(?:reason|outcome)[!=]~?"([^"]+)"', one)]
    assert {one for value in told for one in value.split("|")} <= {*Reason, "OK"}


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
