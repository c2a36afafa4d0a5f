"""Commands on the cluster, and what they report."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLUSTER = Path(os.environ.get("CLUSTER", "build/cluster")).resolve()
NAMESPACE = "semantic-memory"
DATA_NAMESPACE = "data"
_PYTHON = Path(sys.executable).parent
"""Has memory-service too."""
_SERVICE = "app.kubernetes.io/name=semantic-memory,app.kubernetes.io/component=service"


class CommandFailed(Exception):
    """A command failed; the message has its output."""


@dataclass(frozen=True)
class Pod:
    """A pod of the service."""

    name: str
    ip: str
    container: str
    ready: bool
    deleting: bool


def run(command: str, *, folder: Path | None = None, given: str | None = None, **variables: str) -> str:
    """Run a shell command and return its output.

    Raises:
        CommandFailed: its exit status is not 0, or it takes longer than five minutes.
    """
    environment = {**os.environ, "PATH": f"{CLUSTER / 'bin'}:{_PYTHON}:{os.environ['PATH']}", **variables}
    try:
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=folder,
            input=given,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{command}\nruns for longer than five minutes") from error
    if done.returncode:
        raise CommandFailed(f"{command}\n{done.stdout.strip()}")
    return done.stdout


def on_node(command: str) -> str:
    """Run a command with the files of the node, as root. It may raise CommandFailed."""
    return run(f"nsenter --target {os.environ['NODE']} --mount --root --wd=/ /bin/bash -euc '{command}'")


def kubectl(arguments: str, *, given: str | None = None, namespace: str = NAMESPACE) -> str:
    """Run kubectl in a namespace and return its output."""
    return run(f"kubectl --namespace {namespace} {arguments}", given=given)


def described(what: str, *, namespace: str = NAMESPACE) -> Any:
    """Return objects of the cluster."""
    return json.loads(kubectl(f"get {what} --output json", namespace=namespace))


def service_pods() -> list[Pod]:
    """Return the pods of the service, oldest first."""
    items = described(f"pods --selector {_SERVICE} --sort-by .metadata.creationTimestamp")["items"]
    return [_pod(one) for one in items]


def _pod(item: dict[str, Any]) -> Pod:
    status = item["status"]
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))
    containers = status.get("containerStatuses") or [{}]
    return Pod(
        name=item["metadata"]["name"],
        ip=status.get("podIP", ""),
        container=containers[0].get("containerID", "").removeprefix("containerd://"),
        ready=ready,
        deleting="deletionTimestamp" in item["metadata"],
    )


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 180) -> float:
    """Wait until a condition holds. Return the seconds that it took.

    Raises:
        TimeoutError: it does not hold in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + seconds:
            raise TimeoutError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.5)
    return time.monotonic() - began


def wait_until_settled(replicas: int) -> None:
    """Wait until exactly so many pods exist, and all are ready and stay."""

    def settled() -> bool:
        pods = service_pods()
        return len(pods) == replicas and all(one.ready and not one.deleting for one in pods)

    kubectl("rollout status deployment/semantic-memory --timeout 240s")
    wait_until(settled, f"{replicas} ready pods and no others", 240)
