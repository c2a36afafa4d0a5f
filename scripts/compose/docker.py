"""The docker command in the namespaces of scripts/try_compose.sh."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

CONSOLE_KEY = "0123456789abcdef0123"
_PROFILES = ("--profile", "console", "--profile", "monitoring")


class CheckError(Exception):
    """A check failed. The text says what was found."""


def require(condition: object, found: str) -> None:
    """Fail the check with what was found instead."""
    if not condition:
        raise CheckError(found)


def in_lab(*command: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    """Run a command in the namespaces. Its result has both outputs as stdout."""
    namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--root", "--wd=/"]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = ["env", "--ignore-environment", "--chdir=/project", "HOME=/root", path]
    return subprocess.run(
        [
            "nsenter",
            "--target",
            os.environ["DOCKER_INIT"],
            *namespaces,
            *environment,
            f"MEMORY_CONSOLE_KEY={CONSOLE_KEY}",
            *command,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )


def docker(*arguments: str) -> str:
    """Run docker and return its output. Raises CheckError if it fails."""
    result = in_lab("docker", *arguments)
    require(result.returncode == 0, f"docker {' '.join(arguments)}: status {result.returncode}\n{result.stdout}")
    return result.stdout


def compose(*arguments: str) -> str:
    """Run docker compose with the file under test and return its output."""
    return docker("compose", "--file", os.environ["COMPOSE_FILE"], *arguments)


def compose_all(*arguments: str) -> str:
    """Run docker compose for the services of all profiles."""
    return compose(*_PROFILES, *arguments)


def service_cli(*arguments: str) -> str:
    """Run a command of memory-service in its container, as the documentation says."""
    return compose("exec", "--no-TTY", "memory", "memory-service", *arguments)


def resources(service: str) -> dict[str, Any]:
    """Return the limits of a service as the compose file has them."""
    config = json.loads(compose_all("config", "--format", "json"))
    limits: dict[str, Any] = config["services"][service]["deploy"]["resources"]["limits"]
    return limits


def running() -> list[str]:
    """Return the services that have a running container."""
    return sorted(compose_all("ps", "--services", "--status", "running").split())


def container(service: str) -> dict[str, Any]:
    """Return what docker inspect says about the container of a service."""
    name = compose_all("ps", "--all", "--quiet", service).strip()
    [described] = json.loads(docker("inspect", name))
    inspected: dict[str, Any] = described
    return inspected


def kill(service: str) -> None:
    """Kill process 1 of a service as the kernel would, so that Docker restarts the container."""
    result = in_lab("sh", "-c", f"kill -KILL {container(service)['State']['Pid']}")
    require(result.returncode == 0, result.stdout)


def listening() -> set[str]:
    """Return the addresses, in the kernel's hexadecimal, that accept connections in the network of the lab."""
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/self/net/{name}").read_text().splitlines()]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A"}
