"""Each peer's virtual environment, and every patch: the one place where both are written down.

Peers are never dependencies of this project: their environments live in a cache directory, and are made anew when what
is written here changes. A peer that does not install here is reported as not measured.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """What to install of a peer, in order."""

    package: str
    version: str
    needs: Sequence[str] = ()
    """Installed with it."""
    dependencies: Sequence[str] = ()
    """Given where the package's own cannot be met: then it is installed without them."""
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    patches: Sequence[str] = field(default=())
    """What is changed for it to work at all, in words, for the report."""


@dataclass(frozen=True)
class Environment:
    """An installed peer."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.folder / "bin"


class NotInstalled(Exception):
    """The peer cannot be had here."""


RAMS = Peer(
    "agent-memory-server",
    "0.15.2",
    # As its own lock file has them, but for litellm, of which the package asks for less than 1.82.7.
    dependencies=(
        *("agent-memory-client==0.14.0", "anthropic==0.75.0", "bcrypt==5.0.0", "cachetools==6.2.2", "click==8.3.1"),
        *("cryptography==48.0.1", "fastapi==0.138.2", "httpx==0.28.1", "litellm==1.82.6", "mcp==1.23.1"),
        *("numpy==2.3.5", "openai==2.44.0", "pydantic==2.12.5", "pydantic-settings==2.14.2", "pydocket==0.18.2"),
        *("python-dotenv==1.2.2", "python-jose[cryptography]==3.5.0", "python-ulid==3.1.0", "PyYAML==6.0.3"),
        *("redis==6.4.0", "redisvl==0.12.1", "sniffio==1.3.1", "starlette==1.3.1", "structlog==25.5.0"),
        *("tiktoken==0.12.0", "transformers==4.57.3", "uvicorn==0.38.0"),
    ),
    python="3.12",
    patches=("installed without its own dependencies, since it asks for agent-memory-client 0.14.1, which is not out",),
)
CHROMA = Peer("chromadb", "1.5.9")
BETTERDB = Peer("betterdb-agent-memory", "0.7.0", needs=("numpy==2.4.6", "valkey==6.2.0"))
MEM0 = Peer(
    "mem0ai",
    "2.2.1",
    needs=("numpy==2.4.6", "pytz==2026.6", "valkey==6.2.0"),
    patches=(
        "`_create_index` is FT.CREATE of its own schema: it does not know RediSearch's words for 'no such index'",
        "`_execute_search` sorts by distance, as valkey-search does unasked: RediSearch gives any ten of its sixty",
    ),
)
LANGGRAPH = Peer("langgraph-checkpoint-aws", "1.2.6", needs=("numpy==2.4.6", "valkey==6.2.0", "orjson==3.13.0"))


def environment(peer: Peer, cache: Path) -> Environment:
    """Its environment, made when it is not there yet.

    Raises NotInstalled.
    """
    folder = cache / peer.package
    mark, wanted = folder / "installed", repr(peer)
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _run(interpreter(peer.python), "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        own = (f"{peer.package}=={peer.version}",)
        if peer.dependencies:
            _run(*pip, *peer.dependencies, *peer.needs)
            _run(*pip, "--no-deps", *own)
        else:
            _run(*pip, *own, *peer.needs)
        mark.write_text(wanted)
    return Environment(folder)


def interpreter(version: str) -> str:
    """A Python of this version: this one, one in the path, or one of pyenv.

    Raises NotInstalled.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in (*versions.glob(f"{version}.*/bin/python"), shutil.which(f"python{version}")):
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return str(found)
    raise NotInstalled(f"it needs Python {version}, which is not here")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled((done.stderr.strip() or done.stdout.strip()).splitlines()[-1])
