"""Prometheus on the network of the node. It finds the pods by the chart's annotations, and has the project's rules."""

import json
import re
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from scripts.cluster.kube import CLUSTER, CommandFailed, Pod, described

_ADDRESS = "127.0.0.1:9090"
_FOLDER = CLUSTER / "run" / "prometheus"
# An evaluation every 15 s instead of every minute: an alert then fires soon after its time.
_CONFIG = """\
global: {{ scrape_interval: 15s, evaluation_interval: 15s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: pods
    file_sd_configs: [{{ files: ["{targets}"], refresh_interval: 5s }}]
"""


class Prometheus:
    """A running Prometheus. Debian's cannot ask Kubernetes for its targets: a thread does it every five seconds."""

    def __init__(self) -> None:
        _FOLDER.mkdir()
        config, targets = _FOLDER / "prometheus.yaml", _FOLDER / "targets.json"
        config.write_text(_CONFIG.format(rules=Path("deploy/prometheus/alerts.yaml").resolve(), targets=targets))
        flags = [
            f"--config.file={config}",
            f"--storage.tsdb.path={_FOLDER / 'data'}",
            f"--web.listen-address={_ADDRESS}",
        ]
        with (CLUSTER / "log" / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(["prometheus", *flags], stdout=log, stderr=log)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow_targets, args=(targets,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop it."""
        self._stop.set()
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def targets(self) -> list[str]:
        """Return the scraped addresses that are up."""
        return [one["labels"]["instance"] for one in _get("targets")["activeTargets"] if one["health"] == "up"]

    def unhealthy_rules(self) -> list[str]:
        """Return the rules that Prometheus cannot evaluate."""
        groups = _get("rules")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    def fired(self) -> set[str]:
        """Return the names of all alerts that have fired."""
        query = 'max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[3h]))'
        return {one["metric"]["alertname"] for one in _get(f"query?query={urllib.parse.quote(query)}")["result"]}

    def _follow_targets(self, file: Path) -> None:
        while not self._stop.wait(5):
            try:
                text = json.dumps([{"targets": _annotated_addresses()}])
            except CommandFailed:
                continue
            new = file.with_suffix(".new")
            new.write_text(text)
            new.rename(file)


def calls_served(pod: Pod) -> int:
    """Return the calls of MemoryService that a pod has finished, by its metrics."""
    text = urllib.request.urlopen(f"http://{pod.ip}:9464/metrics", timeout=5).read().decode()
    pattern = r'^grpc_server_handled_total\{[^}]*grpc_service="semantic_memory\.v1\.MemoryService"[^}]*\} (\S+)$'
    return int(sum(float(value) for value in re.findall(pattern, text, re.MULTILINE)))


def _annotated_addresses() -> list[str]:
    """Return the addresses behind the Services with Prometheus' annotations, also of pods that are not ready."""
    found = []
    for service in described("services")["items"]:
        annotations = service["metadata"].get("annotations", {})
        if annotations.get("prometheus.io/scrape") == "true":
            port, name = annotations["prometheus.io/port"], service["metadata"]["name"]
            slices = described(f"endpointslices --selector kubernetes.io/service-name={name}")["items"]
            endpoints = [endpoint for one in slices for endpoint in one["endpoints"] or []]
            found += [f"{address}:{port}" for endpoint in endpoints for address in endpoint["addresses"]]
    return sorted(found)


def _get(path: str) -> Any:
    return json.load(urllib.request.urlopen(f"http://{_ADDRESS}/api/v1/{path}", timeout=10))["data"]
