"""What scripts/try_compose.sh checks: the promises of deploy/compose.yaml, each as one line of output.

It runs in the network of the lab, where the published ports are, as a user's program on the same machine would.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable

from semantic_memory import MemoryServiceError

from scripts.compose.checks import (
    check_alerts,
    check_console,
    check_doctor,
    check_loopback,
    check_restrictions,
    check_use,
    require_found,
    start_monitoring,
)
from scripts.compose.docker import CheckError, compose, compose_all, container, docker, kill, require, running
from scripts.compose.load import Load

_ERRORS = (CheckError, MemoryServiceError, OSError, ValueError, LookupError, subprocess.SubprocessError)


def up() -> None:
    """Start the service with its engine, and wait until both are healthy."""
    compose("up", "--detach", "--wait")


def restart() -> None:
    """Restart the service."""
    compose("restart", "memory")
    up()
    require_found()


def down_and_up() -> None:
    """Remove all containers and create them again, with the same data."""
    compose_all("down")
    require(not running(), f"still running: {running()}")
    up()
    require_found()


def stop_under_load() -> str:
    """Stop the service and start it again while clients use it."""
    with Load("stop") as load:
        compose("stop", "memory")
        status = container("memory")["State"]["ExitCode"]
        up()
        load.wait()
    require(status == 0, f"memory exited with status {status}")
    load.require_complete()
    return load.summary()


def kill_valkey() -> str:
    """Kill Valkey while clients use the service."""
    return _kill_under_load("valkey")


def kill_memory() -> str:
    """Kill the service while clients use it."""
    return _kill_under_load("memory")


def _kill_under_load(service: str) -> str:
    before = container(service)["RestartCount"]
    with Load(f"kill-{service}") as load:
        kill(service)
        load.wait()
    require(container(service)["RestartCount"] > before, f"Docker did not restart {service}")
    up()
    load.require_complete()
    require_found()
    return load.summary()


STEPS: dict[str, Callable[[], str | None]] = {
    "up --wait": up,
    "ensure-index, store, search": check_use,
    "doctor reports no risk": check_doctor,
    "restart of memory": restart,
    "down, then up, keeps the data": down_and_up,
    "profile monitoring: target up": start_monitoring,
    "profile console: /login, a wrong key": check_console,
    "restrictions": check_restrictions,
    "ports on loopback only": check_loopback,
    "stop of memory under load": stop_under_load,
    "SIGKILL of valkey under load": kill_valkey,
    "SIGKILL of memory under load": kill_memory,
    "rules healthy, no alert fires": check_alerts,
}


def main() -> int:
    """Run all steps. Return 1 if one fails; without a running service, the others are not run."""
    failed = False
    for name, step in STEPS.items():
        began = time.monotonic()
        try:
            facts = step()
        except _ERRORS as error:
            failed = True
            print(f"FAILED {name}\n{_indented(str(error) or repr(error))}\n{_indented(_logs())}", flush=True)
            if step is up:
                break
        else:
            print(f"ok {name} ({time.monotonic() - began:.1f} s)" + (f": {facts}" if facts else ""), flush=True)
    compose_all("down", "--volumes")
    return int(failed)


def _logs() -> str:
    states = docker("ps", "--all", "--format", "{{.Names}}: {{.Status}}")
    return states + compose_all("logs", "--no-color", "--tail", "5")


def _indented(text: str) -> str:
    lines = re.sub(r"\x1b\[\d*[A-Z]", "", text).strip().splitlines()
    return "\n".join(f"    {line[:300]}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
