"""Prometheus on the network of the node. It finds the pods by the chart's annotations, and has the project's rules."""

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from scripts.cluster.kube import CLUSTER, NAMESPACE, Pod

_ADDRESS = "127.0.0.1:9090"
# An evaluation every 15 s instead of every minute: an alert then fires soon after its time.
_CONFIG = """\
global: {{ scrape_interval: 15s, evaluation_interval: 15s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs:
      - {{ role: endpoints, kubeconfig_file: "{kubeconfig}", namespaces: {{ names: [{namespace}] }} }}
    relabel_configs:
      - {{ action: keep, source_labels: [__meta_kubernetes_service_annotation_prometheus_io_scrape], regex: "true" }}
      - action: keepequal
        source_labels: [__meta_kubernetes_service_annotation_prometheus_io_port]
        target_label: __meta_kubernetes_pod_container_port_number
"""


def start_prometheus() -> subprocess.Popen[bytes]:
    """Start Prometheus."""
    folder = CLUSTER / "run" / "prometheus"
    folder.mkdir()
    config = folder / "prometheus.yaml"
    rules = Path("deploy/prometheus/alerts.yaml").resolve()
    config.write_text(_CONFIG.format(rules=rules, kubeconfig=os.environ["KUBECONFIG"], namespace=NAMESPACE))
    flags = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={_ADDRESS}"]
    with (CLUSTER / "log" / "prometheus.log").open("wb") as log:
        return subprocess.Popen(["prometheus", *flags], stdout=log, stderr=log)


def targets() -> list[str]:
    """Return the scraped addresses that are up."""
    return [one["labels"]["instance"] for one in _get("targets")["activeTargets"] if one["health"] == "up"]


def unhealthy_rules() -> list[str]:
    """Return the rules that Prometheus cannot evaluate."""
    groups = _get("rules")["groups"]
    return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]


def fired() -> set[str]:
    """Return the names of all alerts that have fired."""
    query = 'max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[3h]))'
    return {one["metric"]["alertname"] for one in _get(f"query?query={urllib.parse.quote(query)}")["result"]}


def calls_served(pod: Pod) -> int:
    """Return the calls of MemoryService that a pod has finished, by its metrics."""
    text = urllib.request.urlopen(f"http://{pod.ip}:9464/metrics", timeout=5).read().decode()
    pattern = r'^grpc_server_handled_total\{[^}]*grpc_service="semantic_memory\.v1\.MemoryService"[^}]*\} (\S+)$'
    return int(sum(float(value) for value in re.findall(pattern, text, re.MULTILINE)))


def _get(path: str) -> Any:
    return json.load(urllib.request.urlopen(f"http://{_ADDRESS}/api/v1/{path}", timeout=10))["data"]
