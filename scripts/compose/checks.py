"""Checks of the containers, and of what they serve."""

import json
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from scripts.compose.docker import (
    CONSOLE_KEY,
    compose,
    compose_all,
    container,
    docker,
    in_lab,
    listening,
    require,
    resources,
    running,
    service_cli,
)

_USERS = {"memory": "65532", "console": "65532", "valkey": "999", "prometheus": "65534"}
_WRITABLE = {"memory": "/tmp", "console": "/tmp", "valkey": "/data", "prometheus": "/prometheus"}
_PUBLISHED = {"memory": 50051, "console": 8080, "prometheus": 9090}
_LOOPBACK = "0100007F"
_CONSOLE = f"http://127.0.0.1:{_PUBLISHED['console']}"
_PROMETHEUS = f"http://127.0.0.1:{_PUBLISHED['prometheus']}/api/v1"
_EVALUATION = 60.0
"""Prometheus evaluates its rules at this interval of seconds, its default."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def check_use() -> None:
    """Create the index, store a memory and find it, with the commands of the documentation."""
    service_cli("ensure-index")
    service_cli("store", "We ship on Fridays, after the canary", "--user", "me", "--session", "monday")
    require_found()


def require_found() -> None:
    """Check that a search finds the memory of check_use."""
    found = service_cli("search", "When do we release?", "--user", "me")
    require("We ship on Fridays" in found, f"the search found: {found}")


def check_doctor() -> None:
    """Check that doctor finds nothing wrong, unknown or risky."""
    findings = json.loads(service_cli("doctor", "--json"))
    problems = [finding for finding in findings if finding["state"] != "ok"]
    require(findings and not problems, f"doctor reports: {problems}")


def check_restrictions() -> str:
    """Check the restrictions of every running container, from inside and in what Docker says."""
    services = running()
    require(services == sorted(_USERS), f"running: {services}")
    for service in services:
        _check_process(service)
        _check_files(service)
        _check_limits(service)
    return ", ".join(services)


def _check_process(service: str) -> None:
    text = _in_container(service, "cat", "/proc/1/status")
    status = dict(line.split(":\t", 1) for line in text.splitlines())
    require(status["Uid"].split() == [_USERS[service]] * 4, f"{service} runs as {status['Uid']}")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        require(int(status[kind], 16) == 0, f"{service} has capabilities: {kind} {status[kind]}")
    require(status["NoNewPrivs"] == "1", f"{service} can gain privileges")


def _check_files(service: str) -> None:
    """Check as root, whom only a read-only file system hinders, that only the documented folder is writable."""
    name = container(service)["Id"]
    result = in_lab("docker", "exec", "--user", "0", name, "touch", "/probe")
    require("Read-only file system" in result.stdout, f"the root of {service} is writable: {result.stdout}")
    probe = f"{_WRITABLE[service]}/probe"
    _in_container(service, "touch", probe)
    _in_container(service, "rm", probe)


def _check_limits(service: str) -> None:
    written, host = resources(service), container(service)["HostConfig"]
    files = "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"
    actual = _in_container(service, "sh", "-c", f"cat {files[0]} 2>/dev/null || cat {files[1]}").strip()
    require(actual == str(written["memory"]), f"{service} has {actual} bytes of memory, not {written['memory']}")
    require(host["NanoCpus"] == float(written["cpus"]) * 10**9, f"{service} has {host['NanoCpus']} nano-CPUs")
    require(host["RestartPolicy"]["Name"] == "unless-stopped", f"{service} is not restarted")


def _in_container(service: str, *command: str) -> str:
    return docker("exec", container(service)["Id"], *command)


def check_loopback() -> str:
    """Check that all published ports, and no others, accept connections on loopback, and no other address does."""
    for service, port in _PUBLISHED.items():
        require(_accepts("127.0.0.1", port), f"{service} does not accept connections on 127.0.0.1:{port}")
    for port in (6379, 9464, 50052):
        require(not _accepts("127.0.0.1", port), f"port {port} is published")
    [network] = json.loads(docker("network", "inspect", "semantic-memory_default"))
    machine = network["IPAM"]["Config"][0]["Gateway"]
    for port in _PUBLISHED.values():
        require(not _accepts(machine, port), f"{machine}:{port} accepts connections")
    require(listening() == {_LOOPBACK}, f"the machine listens on {sorted(listening())}, not only on {_LOOPBACK}")
    return ", ".join(f"{service} {port}" for service, port in _PUBLISHED.items())


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return False
    return True


def check_console() -> None:
    """Start the console; check that it asks for its key and rejects another."""
    compose_all("up", "--detach", "--wait", "console")
    status, page = _http(f"{_CONSOLE}/login")
    require(status == 200 and re.search(r'name="key"', page), f"/login: status {status}: {page[:200]}")
    status, page = _http(f"{_CONSOLE}/")
    require(status == 303, f"without a login, / has status {status}")
    status, page = _http(f"{_CONSOLE}/login", key="another key")
    require(status == 403, f"a wrong key: status {status}: {page[:200]}")
    status, page = _http(f"{_CONSOLE}/login", key=CONSOLE_KEY)
    require(status == 303, f"the right key: status {status}: {page[:200]}")


def start_monitoring() -> None:
    """Start Prometheus, without Grafana, and wait until it scrapes the service."""
    compose("--profile", "monitoring", "up", "--detach", "--wait", "prometheus")
    limit = time.monotonic() + 45
    while True:
        targets = _prometheus("targets")["activeTargets"]
        if [target["health"] for target in targets] == ["up"]:
            return
        require(time.monotonic() < limit, f"targets: {targets}")
        time.sleep(1)


def check_alerts() -> str:
    """Check that Prometheus evaluates all its rules after the faults, and that no alert fires."""
    began = time.time()
    while not (evaluated := _evaluated_since(began)):
        require(time.time() < began + _EVALUATION + 30, "the rules were not evaluated")
        time.sleep(2)
    rules = [rule for group in evaluated for rule in group["rules"]]
    unhealthy = [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"]
    require(rules and not unhealthy, f"unhealthy rules: {unhealthy}")
    alerts = _prometheus("alerts")["alerts"]
    firing = [(alert["labels"], alert["annotations"]) for alert in alerts if alert["state"] == "firing"]
    require(not firing, f"firing: {firing}")
    targets = _prometheus("targets")["activeTargets"]
    require([target["health"] for target in targets] == ["up"], f"targets: {targets}")
    pending = [alert["labels"]["alertname"] for alert in alerts]
    return f"{len(rules)} rules" + (f", pending: {pending}" if pending else "")


def _evaluated_since(began: float) -> list[dict[str, Any]]:
    """Return the groups of rules, or none if one was not evaluated since that time."""
    groups: list[dict[str, Any]] = _prometheus("rules")["groups"]
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    return groups if all(group["lastEvaluation"] > moment for group in groups) else []


def _prometheus(path: str) -> dict[str, Any]:
    status, body = _http(f"{_PROMETHEUS}/{path}")
    require(status == 200, f"Prometheus, /{path}: status {status}: {body[:200]}")
    data: dict[str, Any] = json.loads(body)["data"]
    return data


def _http(url: str, **form: str) -> tuple[int, str]:
    """Return the status and the body of a GET, or of a POST with the form, as a browser on this page sends it."""
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, data, {"Origin": _CONSOLE})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
