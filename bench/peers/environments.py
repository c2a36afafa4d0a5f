"""A virtual environment for each peer, in a cache directory.

Peers are not dependencies of this project. An environment is rebuilt when its entry in versions.py changes. A peer that
cannot be installed on this machine is reported as not measured.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.peers.versions import Peer


@dataclass(frozen=True)
class Environment:
    """An installed peer."""

    folder: Path

    @property
    def bin(self) -> Path:
        """The directory of its programs."""
        return self.folder / "bin"


class NotInstalled(Exception):
    """The peer cannot be installed on this machine."""


def environment(peer: Peer, cache: Path) -> Environment:
    """Return the peer's environment. Build it if it is missing or out of date.

    Raises:
        NotInstalled: the interpreter is missing, or an installation failed.
    """
    folder = cache / peer.package
    marker, expected = folder / "installed", repr(peer)
    if not marker.exists() or marker.read_text() != expected:
        shutil.rmtree(folder, ignore_errors=True)
        _run(interpreter(peer.python), "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        package = f"{peer.package}=={peer.version}"
        if peer.dependencies:
            _run(*pip, *peer.dependencies, *peer.extra_packages)
            _run(*pip, "--no-deps", package)
        else:
            _run(*pip, package, *peer.extra_packages)
        marker.write_text(expected)
    return Environment(folder)


def interpreter(version: str) -> str:
    """Return a Python of this version: the running one, one of pyenv, or one in the path.

    Raises:
        NotInstalled: there is none.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in (*versions.glob(f"{version}.*/bin/python"), shutil.which(f"python{version}")):
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return str(path)
    raise NotInstalled(f"it needs Python {version}, which is not installed")


def _run(*command: str) -> None:
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise NotInstalled((process.stderr.strip() or process.stdout.strip()).splitlines()[-1])
