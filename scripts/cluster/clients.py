"""The clients that make calls during the whole walk, and what became of their calls."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.cluster.kube import CLUSTER, NAMESPACE

PRODUCTS = ("python", "go", "typescript", "java")
DEADLINE = 10.0
"""Seconds of each call, in the programs of load/."""
ALL = (*PRODUCTS, "plain health", "plain")
_LOAD = Path(__file__).with_name("load")
_HEADLESS = f"dns:///semantic-memory-headless.{NAMESPACE}:50051"
_SERVICE = f"semantic-memory.{NAMESPACE}:50051"
_JAVA = Path("clients/java/target")
_COMMANDS = {
    "python": [sys.executable, str(_LOAD / "load.py"), "product", _HEADLESS],
    "go": [str(CLUSTER / "bin/load-go"), _HEADLESS],
    "typescript": ["node", str(_LOAD / "load.mjs"), _HEADLESS],
    "java": ["java", "-cp", f"{_JAVA / 'classes'}:{_JAVA / 'dependency'}/*", str(_LOAD / "Load.java"), _HEADLESS],
    "plain health": [sys.executable, str(_LOAD / "load.py"), "health", _HEADLESS],
    "plain": [sys.executable, str(_LOAD / "load.py"), "plain", _SERVICE],
}
_ERROR = re.compile(r"(?P<code>[A-Z_]+)(?: (?P<reason>[A-Z_]+))?: (?P<message>.*)", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One call of a client."""

    client: str
    at: float
    seconds: float
    code: str = ""
    reason: str = ""
    message: str = ""

    @property
    def end(self) -> float:
        """Return when the call ended."""
        return self.at + self.seconds

    @property
    def failed(self) -> bool:
        """Return whether the call failed."""
        return bool(self.code)


@dataclass
class Clients:
    """Running clients, each with a file of its calls."""

    token: str
    generation: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, ca: Path, seconds: float) -> None:
        """Start all clients."""
        for name, command in _COMMANDS.items():
            with _file(name, self.generation).open("wb") as output:
                errors = (CLUSTER / "log" / f"load-{name.replace(' ', '-')}.err").open("ab")
                arguments = [*command, str(ca), self.token, str(seconds)]
                self.processes.append(subprocess.Popen(arguments, stdout=output, stderr=errors))
                errors.close()

    def stop(self) -> None:
        """Stop all clients."""
        for process in self.processes:
            process.kill()
            process.wait()

    def ended(self) -> list[str]:
        """Return the names of the clients that are not running."""
        pairs = zip(_COMMANDS, self.processes, strict=True)
        return [name for name, process in pairs if process.poll() is not None]


def delete_old_calls() -> None:
    """Delete the files of an earlier walk."""
    for file in (CLUSTER / "log").glob("load-*"):
        file.unlink()


def calls_between(begin: float, end: float) -> list[Call]:
    """Return the calls that ended in this time."""
    found = []
    for name in ALL:
        for file in (CLUSTER / "log").glob(f"load-{name.replace(' ', '-')}.*.jsonl"):
            found += [call for call in _read(name, file) if begin <= call.end < end]
    return found


def summary(calls: Iterable[Call], client: str) -> str:
    """Return failed calls, calls in all and the longest one of a client, as a cell of the table."""
    own = [call for call in calls if call.client == client]
    longest = max((call.seconds for call in own), default=0.0)
    return f"{sum(call.failed for call in own)} / {len(own)} / {longest:.1f} s"


def _file(name: str, generation: int) -> Path:
    return CLUSTER / "log" / f"load-{name.replace(' ', '-')}.{generation}.jsonl"


def _read(name: str, file: Path) -> Iterable[Call]:
    for line in file.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):  # A client writes it right now, or was stopped then.
            continue
        value = json.loads(line)
        parts = _ERROR.fullmatch(value["error"]) if value["error"] else None
        error = parts.groupdict(default="") if parts else {"message": value["error"] or ""}
        if value["error"] and not parts:
            error["code"] = "OTHER"
        yield Call(name, value["at"], value["seconds"], **error)
