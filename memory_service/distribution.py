"""This software as pip knows it: its version, how to add an extra, and whether its client's module is its own."""

import json
import shlex
import sys
from importlib import metadata, util
from pathlib import Path
from urllib.parse import unquote, urlsplit

NAME = "semantic-memory-grpc-server"
"""It contains the client's module: a dependency on a distribution that no index has is one that anyone can publish."""
CLIENT = "semantic-memory-grpc-client"
"""The client alone, from the same checkout."""

_MODULE = "semantic_memory"


def version() -> str:
    """Return the installed version."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:  # Source code that runs without being installed.
        return "unknown"


def install_command(*options: str, extra: str = "") -> str:
    """Return the command that installs this software, with an extra, from where pip has it from.

    Never by name alone: no index has it, so whatever an index has under a name is somebody else's.
    """
    source, editable = _source()
    path = source or "."
    target = [*(["--editable"] if editable else []), f"{path}[{extra}]" if extra else path]
    command = shlex.join([sys.executable, "-m", "pip", "install", *options, *target])
    return command if source else f"{command} in its checkout, or with the path of its wheel for the dot"


def _source() -> tuple[str, bool]:
    """The checkout or wheel that pip installed, empty when it is gone, and whether as editable (PEP 610)."""
    try:
        recorded = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        recorded = {}
    path = unquote(urlsplit(recorded.get("url", "")).path)
    if not path or not Path(path).exists():
        return "", False
    return path, bool(recorded.get("dir_info", {}).get("editable"))


def stranger() -> tuple[str, str] | None:
    """Return which other distribution owns the client's module too, and what to do; None: no other does."""
    owners = metadata.packages_distributions().get(_MODULE, [])
    others = sorted(set(owners) - {NAME, CLIENT})
    if not others:
        return None
    names = shlex.join(others)
    return f"{names}, which is not part of this software, has a module {_MODULE} too", _without(names)


def installed_twice() -> tuple[str, str] | None:
    """Return that the client is installed beside the server, which contains it, and what to do; None: it is not."""
    if not {NAME, CLIENT} <= set(metadata.packages_distributions().get(_MODULE, [])):
        return None
    return f"{CLIENT} is installed beside {NAME}, which contains it; their versions can differ", _without(CLIENT)


def wrong_module(error: Exception) -> str | None:
    """Return what to do about an import of the client's module that failed; None: something else failed."""
    if (other := stranger()) is not None:
        return ": ".join(other)
    if not isinstance(error, ImportError) or (error.name or "").partition(".")[0] != _MODULE:
        return None
    found = util.find_spec(_MODULE)
    where = "is missing" if found is None else f"at {found.origin or 'an empty folder'} is not this software's"
    return f"the module {_MODULE} {where}: {_again()}"


def _without(names: str) -> str:
    """The other distribution takes files of this one with it."""
    return f"{shlex.quote(sys.executable)} -m pip uninstall --yes {names} && {_again()}"


def _again() -> str:
    return install_command("--force-reinstall", "--no-deps")
